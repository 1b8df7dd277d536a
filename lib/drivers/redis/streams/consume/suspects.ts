import { within } from '../../../../timing/within.js';
import type { GroupMember } from '../group/group-member.js';
import { runningScript } from '../scripts/group-scripts.js';
import { persist, type StreamClient } from '../stream-connection.js';
import { StreamScript } from '../stream-script.js';
import type { Hand } from './hand.js';

const running = new StreamScript(runningScript);

/** Other members may try what waits when a trial takes longer than this. */
const SHARED_AFTER_MS = 1_000;
/** Once no handler has begun for this time, the mark is written exactly. A busy consumer writes nothing. */
const QUIET_MS = 50;
/** More names than this are not written: all that is held then counts as begun. */
const MOST_NAMES = 1_000;

/** How a {@link RunningMark} writes what `member` runs: at once, and, where it `matters`, again until Redis answers. */
export function runningText({ connection, keys, name }: GroupMember) {
  return (text: string, matters: boolean): Promise<unknown> => {
    const write = (client: StreamClient) => running.run(client, [keys.stream, keys.state], [name, text]);
    return matters ? persist(connection, write) : connection.run(write);
  };
}

/**
 * Tells Redis which entries a crash of this process is to be blamed on: those whose handlers have begun. What Redis knows is
 * never less than that: where the mark would not cover a handler, it is written before the handler starts.
 *
 * The text: names joined by commas, or `*` for all that is held; after a `-`, they ran beside a suspect that is tried
 * alone in another topic of this process, which is blamed instead of them.
 */
export class RunningMark {
  /** What Redis counts as begun. */
  private told: ReadonlySet<string> | 'all' = 'all';
  private toldMs = Number.NEGATIVE_INFINITY;
  private tried = false;
  private spared = false;
  private began = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly entries: Pick<Hand, 'begun' | 'hasUnbegun'>,
    /** Resolves when Redis knows `text`; sent at once, and, where it `matters`, again until Redis answers. */
    private readonly send: (text: string, matters: boolean) => Promise<unknown>,
  ) {}

  /** To be called before the handler of `name` starts. */
  begins(name: string): void {
    if (this.tried || (this.told !== 'all' && this.told.has(name))) return;
    if (this.told !== 'all') {
      const isBusy = performance.now() - this.toldMs < QUIET_MS;
      void this.tell(isBusy ? 'all' : new Set([...this.entries.begun(), name]));
    }
    this.began = true;
    this.watch();
  }

  /** Resolves when Redis knows that only `name` is to be blamed, or cannot be told. Never rejects. */
  async tries(name: string): Promise<void> {
    this.tried = true;
    await this.tell(new Set([name]), true);
  }

  /** The trial is over; what begins from now on counts again. */
  endTrial(): void {
    this.tried = false;
  }

  /** Resolves when Redis knows whether what runs here is spared, as a suspect is tried elsewhere, or cannot be told. */
  async spare(spared: boolean): Promise<void> {
    if (this.spared === spared) return;
    this.spared = spared;
    await this.tell(this.told, true);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private get text(): string {
    return (this.spared ? '-' : '') + (this.told === 'all' ? '*' : [...this.told].join(','));
  }

  private async tell(told: ReadonlySet<string> | 'all', matters = false): Promise<void> {
    this.told = told;
    this.toldMs = performance.now();
    try {
      await this.send(this.text, matters);
    } catch {
      // Redis may have the old mark or the new one: the next beginning writes it again.
      if (this.told === told) this.told = new Set();
    }
  }

  private watch(): void {
    this.timer ??= setTimeout(this.look, QUIET_MS).unref();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    if (this.began) {
      this.began = false;
      this.watch();
      return;
    }
    if (this.tried || this.told !== 'all' || !this.entries.hasUnbegun) return;
    const names = this.entries.begun();
    if (names.length <= MOST_NAMES) void this.tell(new Set(names));
  };
}

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
  readonly longestMs: number;
  /** Whether other members could try what waits here. */
  mayShare(): boolean;
  /** Gives what waits back to the group. */
  share(): void;
  /** Nothing is tried any more. */
  over(): void;
}

/**
 * Tries the suspects of one topic and group one at a time, with nothing of the same topic and group beside them, so that a
 * crash counts against the entry that caused it. Other topics go on meanwhile.
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

  /** Resolves when `condition` holds, at the latest after `longestMs`. */
  private async until(condition: () => boolean): Promise<void> {
    const untilMs = performance.now() + this.deps.longestMs;
    for (;;) {
      const leftMs = untilMs - performance.now();
      if (this.closed || leftMs <= 0 || condition()) return;
      await within(leftMs, new Promise<void>((resolve) => (this.wake = resolve)));
    }
  }
}
