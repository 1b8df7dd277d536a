import { type GroupSetting, isSameSetting } from '../../../../driver/group-setting.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { TopicDirectory } from '../patterns/topic-directory.js';
import { persist, persistFor, type StreamConnection } from '../stream-connection.js';
import { keepUp, openGroup, StreamHistory } from './group-calls.js';
import type { GroupMember, MemberReport } from './group-member.js';

/** How soon what was settled is trimmed. */
const BUSY_MS = 1_000;
/** The longest between two upkeeps of an idle group. */
const IDLE_MS = 10_000;
/** Every sixth look for dead members also looks for what is rare. */
const SWEPT_REAPS = 6;

/** The consumer that is kept up. */
export interface UpkeepOwner {
  /** Entries that this process holds. */
  readonly heldCount: number;
  /** The own pending entries are to be compared with what is held before reading on. */
  recovers: boolean;
  /** How operators have set the group. */
  isSet(setting: GroupSetting): void;
  /** The group was made again or moved within its topic, and may hand out what is held already. */
  mayRepeat(): void;
  /** What this member says of itself, for whoever looks into the group. */
  report(): MemberReport;
  renewRight(): Promise<void>;
  wake(): void;
}

/**
 * Looks after one group of one topic: makes the group, says that this member is alive, has due messages moved, dead
 * members' entries taken back, and notices what the server has lost.
 */
export class ConsumerUpkeep {
  private startFrom: 'beginning' | 'new' = 'beginning';
  private readonly history = new StreamHistory();
  /** Other members that say they are alive. */
  others = 0;
  /** The server's clock less this process's monotonic one. */
  private offsetMs: number | undefined;
  private readonly work = new RepeatedWork(() => this.run());
  /** A member says three times that it is alive before it counts as dead. */
  private readonly beatMs = this.member.options.claimAfterMs / 3;
  private reapedMs = Number.NEGATIVE_INFINITY;
  private reaps = 0;
  private surplus = 0;
  private trims = true;
  /** What runs has changed since this member last reported. */
  private reportIsOld = false;
  /** This member was handed something of the topic. */
  private hadMessages = false;
  /** How operators have set the group, and how often they have moved it. */
  setting: GroupSetting = { paused: false };
  private moves: string | undefined;
  private opening: Promise<void> | undefined;

  constructor(
    private readonly member: GroupMember,
    private readonly owner: UpkeepOwner,
  ) {}

  /** Now, on the server's clock; this process's own until the server was asked. */
  serverNow(): number {
    return this.offsetMs === undefined ? Date.now() : performance.now() + this.offsetMs;
  }

  /** Makes the group if it is missing. Rejects when Redis refuses, or cannot be reached within `timeoutMs`. */
  async start(startFrom: 'beginning' | 'new', timeoutMs: number): Promise<void> {
    this.startFrom = startFrom;
    const untilMs = performance.now() + timeoutMs;
    await this.open((command) =>
      persistFor(this.member.connection, command, Math.max(1, untilMs - performance.now())),
    );
    this.within(0);
  }

  /** The group is gone, or may be: makes it again where it was. */
  reopen(): Promise<void> {
    this.opening ??= this.open((command) => persist(this.member.connection, command)).finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  /** Looks after the group within `delayMs`. */
  within(delayMs: number): void {
    this.work.within(delayMs);
  }

  /** Something was settled, so there may be something to trim. */
  settled(): void {
    this.hadMessages = true;
    if (this.trims) return;
    this.trims = true;
    this.within(Math.min(BUSY_MS, this.beatMs));
  }

  /** A handler began, so what this member says of itself is out of date. */
  busy(): void {
    if (this.reportIsOld) return;
    this.reportIsOld = true;
    this.hadMessages = true;
    this.within(Math.min(BUSY_MS, this.beatMs));
  }

  /** `entries` were gone before they were settled. */
  lost(entries: number): void {
    if (entries > 0) this.member.dataLost();
  }

  stop(): void {
    this.work.stop();
  }

  private async open(run: StreamConnection['run']): Promise<void> {
    const { startFrom, history, owner } = this;
    const opened = await run((client) =>
      openGroup(client, this.member, { startFrom, checkpoint: history.checkpoint, report: owner.report() }),
    );
    const { created, count } = opened;
    this.offsetMs = opened.nowMs - performance.now();
    if (created) owner.mayRepeat();
    this.noteSetting(opened);
    // Publishers announce their topics; this process may be the first or only one to use this one.
    const { context, connection, topic } = this.member;
    new TopicDirectory(context.keys, connection).announce([topic]).catch(() => undefined);
    const isNew = created && (!opened.existed || history.isAnother(count));
    const isKnown = this.hadMessages || history.added > 0;
    if (isKnown && (opened.evicted || isNew)) this.lost(1);
    // A group that begins with what is new must not begin later still when it is made again.
    history.note(count, startFrom === 'new' ? history.checkpoint || opened.lastId : history.checkpoint);
  }

  /** Returns when to look again, in milliseconds from now. */
  private async run(): Promise<number> {
    const idleMs = Math.min(IDLE_MS, this.beatMs);
    try {
      const nextMs = await this.once(idleMs);
      this.member.upkeepEnded();
      return nextMs;
    } catch (error) {
      this.member.upkeepEnded(error as DiscoBusError);
      return Math.min(BUSY_MS, idleMs);
    }
  }

  private async once(idleMs: number): Promise<number> {
    const startedMs = performance.now();
    const reaps = startedMs - this.reapedMs >= this.beatMs - 1;
    const sweeps = reaps && this.reaps % SWEPT_REAPS === 0;
    const { trims } = this;
    this.trims = false;
    this.reportIsOld = false;
    const report = this.owner.report();
    const answer = await this.member.connection
      .run((client) => keepUp(client, this.member, { reaps, trims, sweeps, report }))
      .catch((error: unknown) => {
        this.trims ||= trims;
        throw error;
      });
    this.offsetMs = answer.nowMs - performance.now();
    if (answer.problem) {
      await this.reopen();
      this.owner.wake();
      return 1;
    }
    this.others = answer.others;
    this.noteSetting(answer);
    this.lost(answer.lost);
    this.member.lettersDropped(answer.outlived);
    this.member.gaveUp(answer);
    if (trims) this.history.note(answer.count, answer.checkpoint);
    this.compare(answer.mine);
    await this.owner.renewRight();
    if (reaps && answer.finished) {
      this.reapedMs = startedMs;
      this.reaps++;
    }
    if (!answer.finished) return 1;
    if (this.setting.paused) return Math.min(BUSY_MS, idleMs);
    return Math.max(1, Math.min(idleMs, answer.dueMs - answer.nowMs));
  }

  /** Where Redis counts more entries as ours three times in a row, the reply of a read was lost, and the connection was not. */
  private compare(mine: number): void {
    this.surplus = mine > this.owner.heldCount ? this.surplus + 1 : 0;
    if (this.surplus < 3) return;
    this.surplus = 0;
    this.owner.recovers = true;
    this.owner.wake();
  }

  private noteSetting({ setting, moves }: { readonly setting: GroupSetting; readonly moves: string }): void {
    if (this.moves !== undefined && moves !== this.moves) this.owner.mayRepeat();
    this.moves = moves;
    const before = this.setting;
    this.setting = setting;
    if (isSameSetting(setting, before)) return;
    this.owner.isSet(setting);
    // Whoever set it waits for this member to say so.
    this.work.againAfterThis();
  }
}

/** Repeats some work, never twice at a time; each repetition can be asked for sooner. */
class RepeatedWork {
  private timer: NodeJS.Timeout | undefined;
  private dueMs = 0;
  private running = false;
  private again = false;
  private stopped = false;

  /** `work` resolves with when it is to be done again, in milliseconds from then; it never rejects. */
  constructor(private readonly work: () => Promise<number>) {}

  /** Does the work within `delayMs`. */
  within(delayMs: number): void {
    if (this.stopped) return;
    const dueMs = performance.now() + delayMs;
    if (this.timer !== undefined && this.dueMs <= dueMs) return;
    clearTimeout(this.timer);
    this.dueMs = dueMs;
    this.timer = setTimeout(() => void this.run(), Math.ceil(delayMs));
    this.timer.unref();
  }

  /** Repeats the work at once when what is under way has ended; nothing where it is not under way. */
  againAfterThis(): void {
    if (this.running) this.again = true;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const nextMs = await this.work();
    this.running = false;
    this.within(this.again ? 1 : nextMs);
    this.again = false;
  }
}
