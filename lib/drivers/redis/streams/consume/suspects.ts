import { within } from '../../../../timing/within.js';
import type { RunningMark } from '../group/running-mark.js';
import type { Hand } from './hand.js';

/** Other members may try what waits when a trial takes longer than this. */
const SHARED_AFTER_MS = 1_000;

/** The turns of one process: a suspect is tried with no other suspect beside it, and what runs in other topics is spared. */
export class TrialTurns {
  private last: Promise<void> = Promise.resolve();
  private wanted = 0;

  /** `marks`: of all consumers of the process. */
  constructor(private readonly marks: () => Iterable<RunningMark>) {}

  /** Resolves when it is this consumer's turn. To be followed by the function that it resolves with, which ends the turn. */
  async take(own: RunningMark): Promise<() => void> {
    this.wanted++;
    const before = this.last;
    let end: () => void = () => undefined;
    this.last = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    await own.spare(false);
    await this.spareOthers(own, true);
    return () => {
      this.wanted--;
      if (this.wanted === 0) void this.spareOthers(own, false);
      end();
    };
  }

  private async spareOthers(own: RunningMark, spared: boolean): Promise<void> {
    const others = [...this.marks()].filter((mark) => mark !== own);
    await Promise.all(others.map((mark) => mark.spare(spared)));
  }
}

/** What {@link SuspectTrials} need of their consumer. */
export interface TrialDeps {
  readonly hand: Hand;
  readonly mark: RunningMark;
  readonly turns: TrialTurns;
  /** The longest that a trial waits for what runs, and that others wait for a trial. Milliseconds. */
  readonly patienceMs: number;
  /** Whether other members could try what waits here. */
  mayShare(): boolean;
  /** Gives what waits back to the group. */
  share(): void;
  /** Nothing is tried any more. */
  over(): void;
}

/**
 * Tries the suspects of one topic and group one at a time, with nothing of the same topic and group beside them, so that a
 * crash tells on the entry that caused it. Other topics go on meanwhile.
 */
export class SuspectTrials {
  private running = false;
  private closed = false;
  private wake: () => void = () => undefined;

  constructor(private readonly deps: TrialDeps) {}

  /** Begins with what there is to try; does nothing while it is at it. */
  start(): void {
    if (this.running || this.closed || this.deps.hand.suspect === undefined) return;
    this.running = true;
    void this.tryAll().finally(() => {
      this.running = false;
      if (!this.closed) this.deps.over();
    });
  }

  /** Something was settled, or a subscription has changed. */
  changed(): void {
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  private async tryAll(): Promise<void> {
    const { hand, mark, turns } = this.deps;
    while (!this.closed && hand.suspect !== undefined) {
      const sharing = setTimeout(() => this.share(), SHARED_AFTER_MS).unref();
      const endTurn = await turns.take(mark);
      try {
        await this.until(() => hand.handedOut === 0);
        await this.tryNext(mark);
      } finally {
        clearTimeout(sharing);
        hand.endTrial();
        mark.endTrial();
        endTurn();
      }
    }
  }

  private async tryNext(mark: RunningMark): Promise<void> {
    const { hand } = this.deps;
    const { suspect } = hand;
    if (suspect === undefined || this.closed) return;
    await mark.tries(suspect.key);
    const handing = this.closed ? undefined : hand.beginTrial();
    if (handing === undefined) return;
    const { delivery, to } = handing;
    to?.hand(delivery);
    await this.until(() => !hand.holds(delivery));
  }

  private share(): void {
    if (!this.closed && this.deps.mayShare()) this.deps.share();
  }

  /** Resolves when `condition` holds, at the latest after the patience. */
  private async until(condition: () => boolean): Promise<void> {
    const untilMs = performance.now() + this.deps.patienceMs;
    for (;;) {
      const leftMs = untilMs - performance.now();
      if (this.closed || leftMs <= 0 || condition()) return;
      await within(leftMs, new Promise<void>((resolve) => (this.wake = resolve)));
    }
  }
}
