import { type GroupSetting, isSameSetting } from '../../../../driver/group-setting.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import type { TopicDirectory } from '../patterns/topic-directory.js';
import { persist, persistFor, type StreamConnection } from '../stream-connection.js';
import type { GroupKeys } from '../stream-keys.js';
import type { ResolvedStreamOptions } from '../stream-options.js';
import type { ConsumerReports } from './consumer-reports.js';
import { keepUp, openGroup } from './group-calls.js';
import type { MemberReport } from './member-report.js';
import { RepeatedWork } from './repeated-work.js';
import { StreamHistory } from './stream-history.js';

/** How soon what was settled is trimmed. */
const BUSY_MS = 1_000;
/** How often an idle group is looked after, if its members need not be heard of more often. */
const IDLE_MS = 10_000;
/** One look for dead members in so many is for what is seldom there as well. */
const SWEPT_REAPS = 6;

/** What {@link ConsumerUpkeep} works with. */
export interface UpkeepSetup {
  readonly connection: StreamConnection;
  readonly options: ResolvedStreamOptions;
  /** Names this process in every group. */
  readonly name: string;
  /** Where a topic is listed whose stream a consumer has made. */
  readonly directory: TopicDirectory;
}

/** The consumer that is kept up. */
export interface UpkeepOwner {
  readonly topic: string;
  readonly group: string;
  readonly keys: GroupKeys;
  readonly reports: ConsumerReports;
  readonly heldCount: number;
  /** How operators have set the group. */
  isSet(setting: GroupSetting): void;
  /** The group was made again or moved within its topic, and may hand out what is held already. */
  mayRepeat(): void;
  /** What this member says of itself, for whoever looks into the group. */
  report(): MemberReport;
  recovers: boolean;
  wake(): void;
  renewRight(): Promise<void>;
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
  private readonly work: RepeatedWork;
  private reapedMs = Number.NEGATIVE_INFINITY;
  private reaps = 0;
  private surplus = 0;
  private trims = true;
  /** What runs has changed since this member last told. */
  private toTell = false;
  /** This member was handed something of the topic. */
  private hadMessages = false;
  /** How operators have set the group, and how often they have moved it. */
  setting: GroupSetting = { paused: false };
  private moves: string | undefined;
  private opening: Promise<void> | undefined;

  constructor(
    private readonly owner: UpkeepOwner,
    private readonly setup: UpkeepSetup,
  ) {
    this.work = new RepeatedWork(() => this.run());
  }

  /** Now, on the server's clock; this process's own until the server was asked. */
  serverNow(): number {
    return this.offsetMs === undefined ? Date.now() : performance.now() + this.offsetMs;
  }

  /** Makes the group if it is missing. Rejects when Redis refuses, or cannot be reached within `timeoutMs`. */
  async start(startFrom: 'beginning' | 'new', timeoutMs: number): Promise<void> {
    this.startFrom = startFrom;
    const untilMs = performance.now() + timeoutMs;
    await this.open((command) =>
      persistFor(this.setup.connection, command, Math.max(1, untilMs - performance.now())),
    );
    this.within(0);
  }

  /** The group is gone, or may be: makes it again where it was. */
  reopen(): Promise<void> {
    this.opening ??= this.open((command) => persist(this.setup.connection, command)).finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  /** Does what there is to do within `delayMs`. */
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
    if (this.toTell) return;
    this.toTell = true;
    this.hadMessages = true;
    this.within(Math.min(BUSY_MS, this.beatMs));
  }

  /** So many entries were gone before they were settled. */
  lost(entries: number): void {
    if (entries > 0) this.owner.reports.dataLoss();
  }

  stop(): void {
    this.work.stop();
  }

  /** A member is heard of three times before it counts as dead. */
  private get beatMs(): number {
    return this.setup.options.claimAfterMs / 3;
  }

  private async open(run: typeof this.setup.connection.run): Promise<void> {
    const { startFrom, history } = this;
    const opened = await run((client) =>
      openGroup(client, this.owner, this.setup, { startFrom, checkpoint: history.checkpoint }),
    );
    const { created, count } = opened;
    this.hear(opened.nowMs);
    if (created) this.owner.mayRepeat();
    this.hearSetting(opened);
    // Publishers list what they publish to; this may be first, or the only one who uses the topic.
    this.setup.directory.announce([this.owner.topic]).catch(() => undefined);
    const isNew = created && (!opened.existed || history.isAnother(count));
    const isKnown = this.hadMessages || history.hasMessages;
    if (isKnown && (opened.evicted || isNew)) this.lost(1);
    // A group that begins with what is new must not begin later still when it is made again.
    history.note(count, startFrom === 'new' ? history.checkpoint || opened.lastId : history.checkpoint);
  }

  /** Returns when to look again, in milliseconds from now. */
  private async run(): Promise<number> {
    const idleMs = Math.min(IDLE_MS, this.beatMs);
    try {
      const nextMs = await this.once(idleMs);
      this.owner.reports.upkeep(undefined);
      return nextMs;
    } catch (error) {
      this.owner.reports.upkeep(error as DiscoBusError);
      return Math.min(BUSY_MS, idleMs);
    }
  }

  private async once(idleMs: number): Promise<number> {
    const startedMs = performance.now();
    const reaps = startedMs - this.reapedMs >= this.beatMs - 1;
    const sweeps = reaps && this.reaps % SWEPT_REAPS === 0;
    const { trims } = this;
    this.trims = false;
    this.toTell = false;
    const report = JSON.stringify(this.owner.report());
    const answer = await this.setup.connection
      .run((client) => keepUp(client, this.owner, this.setup, { reaps, trims, sweeps, report }))
      .catch((error: unknown) => {
        this.trims ||= trims;
        throw error;
      });
    this.hear(answer.nowMs);
    if (answer.problem) {
      await this.reopen();
      this.owner.wake();
      return 1;
    }
    this.others = answer.others;
    this.hearSetting(answer);
    this.lost(answer.lost);
    this.owner.reports.outlived(answer.outlived);
    this.owner.reports.crashedOut(answer.crashedOut);
    if (trims) this.history.note(answer.count, answer.checkpoint);
    this.compare(answer.mine);
    await this.owner.renewRight();
    if (reaps && answer.finished) {
      this.reapedMs = startedMs;
      this.reaps++;
    }
    if (!answer.finished) return 1;
    if (this.setting.paused) return Math.min(BUSY_MS, idleMs);
    const { dueMs, nowMs } = answer;
    return dueMs === undefined ? idleMs : Math.max(1, Math.min(idleMs, dueMs - nowMs));
  }

  /** More in our hands by the server's count, twice in a row: a read whose reply was lost without the connection. */
  private compare(mine: number): void {
    this.surplus = mine > this.owner.heldCount ? this.surplus + 1 : 0;
    if (this.surplus < 3) return;
    this.surplus = 0;
    this.owner.recovers = true;
    this.owner.wake();
  }

  private hearSetting({ setting, moves }: { readonly setting: GroupSetting; readonly moves: string }): void {
    if (this.moves !== undefined && moves !== this.moves) this.owner.mayRepeat();
    this.moves = moves;
    const before = this.setting;
    this.setting = setting;
    if (isSameSetting(setting, before)) return;
    this.owner.isSet(setting);
    // Whoever set it waits for this member to say so.
    this.work.againAfterThis();
  }

  private hear(serverMs: number): void {
    this.offsetMs = serverMs - performance.now();
  }
}
