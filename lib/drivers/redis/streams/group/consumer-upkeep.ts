import type { GroupSetting } from '../../../../driver/group-setting.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import type { TopicDirectory } from '../patterns/topic-directory.js';
import { openScript, upkeepScript } from '../scripts/group-scripts.js';
import { persist, persistFor, type StreamConnection } from '../stream-connection.js';
import type { GroupKeys } from '../stream-keys.js';
import type { ResolvedStreamOptions } from '../stream-options.js';
import { StreamScript } from '../stream-script.js';
import type { ConsumerReports } from './consumer-reports.js';
import type { MemberReport } from './member-report.js';

const openGroup = new StreamScript(openScript);
const upkeep = new StreamScript(upkeepScript);

/** Entries of dead members taken back in one call. */
const REAP_AT_ONCE = 100;
/** How soon what was settled is trimmed. */
const BUSY_MS = 1_000;
/** How often an idle group is looked after, if its members need not be heard of more often. */
const IDLE_MS = 10_000;
/** One look for dead members in so many is for what is seldom there as well. */
const SWEPT_REAPS = 6;

/** What the script answers, in its own order. */
type UpkeepReply = [
  now: string,
  problem: string,
  due: string,
  mine: number,
  others: number,
  reaped: number,
  lost: number,
  outlived: number,
  checkpoint: string,
  added: number,
  budget: number,
  lastId: string,
  crashedOut: number,
  ...setting: SettingReply,
];

type SettingReply = [paused: string, limit: string, moves: string];

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
  /** The group was moved to another place of its topic. */
  moved(): void;
  /** What this member says of itself, for whoever looks into the group. */
  report(): MemberReport;
  recovers: boolean;
  wake(): void;
  renewRight(): Promise<void>;
  /** The group was made again. */
  regrouped(): void;
}

/**
 * Looks after one group of one topic: makes the group, says that this member is alive, has due messages moved, dead
 * members' entries taken back, and notices what the server has lost.
 */
export class ConsumerUpkeep {
  private startFrom: 'beginning' | 'new' = 'beginning';
  private checkpoint = '';
  /** Messages ever added to the stream; -1 when nothing is known. */
  private messagesAdded = -1;
  private lastId = '';
  /** Other members that say they are alive. */
  others = 0;
  /** The server's clock less this process's monotonic one. */
  private offsetMs: number | undefined;
  private timer: NodeJS.Timeout | undefined;
  private timerDueMs = 0;
  private running = false;
  private again = false;
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
  private stopped = false;
  private opening: Promise<void> | undefined;

  constructor(
    private readonly owner: UpkeepOwner,
    private readonly setup: UpkeepSetup,
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
    if (this.stopped) return;
    const dueMs = performance.now() + delayMs;
    if (this.timer !== undefined && this.timerDueMs <= dueMs) return;
    clearTimeout(this.timer);
    this.timerDueMs = dueMs;
    this.timer = setTimeout(() => void this.run(), Math.ceil(delayMs));
    this.timer.unref();
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
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** A member is heard of three times before it counts as dead. */
  private get beatMs(): number {
    return this.setup.options.claimAfterMs / 3;
  }

  private async open(run: typeof this.setup.connection.run): Promise<void> {
    const { stream, retry, state, members } = this.owner.keys;
    const { name, options } = this.setup;
    const start = this.startFrom === 'new' ? '$' : '0';
    const args = [this.owner.group, name, options.claimAfterMs, start, this.checkpoint];
    const reply = await run((client) => openGroup.run(client, [stream, retry, state, members], args));
    const [now, created, existed, lastId, added, evicted, countedId, ...setting] = reply as [
      string,
      number,
      number,
      string,
      number,
      number,
      string,
      ...SettingReply,
    ];
    this.hear(Number(now));
    if (created === 1) this.owner.regrouped();
    this.hearSetting(setting);
    // Publishers list what they publish to; this may be first, or the only one who uses the topic.
    this.setup.directory.announce([this.owner.topic]).catch(() => undefined);
    const known = this.hadMessages || this.messagesAdded > 0;
    if (
      (evicted === 1 && known) ||
      (created === 1 && known && (existed === 0 || this.isAnother(countedId, added)))
    ) {
      this.owner.reports.dataLoss();
    }
    this.messagesAdded = added;
    this.lastId = countedId;
    // A group that begins with what is new must not begin later still when it is made again.
    if (this.checkpoint === '' && start === '$') this.checkpoint = lastId;
  }

  /** Whether the stream is younger than the one that was there before. */
  private isAnother(lastId: string, added: number): boolean {
    if (added < 0) return false;
    return added < this.messagesAdded || (added === this.messagesAdded && lastId !== this.lastId);
  }

  private async run(): Promise<void> {
    this.timer = undefined;
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    const idleMs = Math.min(IDLE_MS, this.beatMs);
    let nextMs = Math.min(BUSY_MS, idleMs);
    try {
      nextMs = await this.once(idleMs);
      this.owner.reports.upkeep(undefined);
    } catch (error) {
      this.owner.reports.upkeep(error as DiscoBusError);
    }
    this.running = false;
    this.within(this.again ? 1 : nextMs);
    this.again = false;
  }

  /** Returns when to look again, in milliseconds from now. */
  private async once(idleMs: number): Promise<number> {
    const startedMs = performance.now();
    const { claimAfterMs, maxCrashes, maxDeadLetters } = this.setup.options;
    const reaps = startedMs - this.reapedMs >= this.beatMs - 1;
    const sweeps = reaps && this.reaps % SWEPT_REAPS === 0;
    const trims = this.trims;
    this.trims = false;
    this.toTell = false;
    const { stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies } =
      this.owner.keys;
    const keys = [stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies];
    const args = [this.owner.group, this.setup.name, claimAfterMs, maxCrashes, flag(reaps), flag(trims)];
    args.push(REAP_AT_ONCE, maxDeadLetters, flag(sweeps), JSON.stringify(this.owner.report()));
    const run = this.setup.connection.run((client) => upkeep.run(client, keys, args));
    const reply = await run.catch((error: unknown) => {
      this.trims ||= trims;
      throw error;
    });
    const [
      now,
      problem,
      due,
      mine,
      others,
      ,
      lost,
      outlived,
      checkpoint,
      added,
      budget,
      lastId,
      crashedOut,
      ...setting
    ] = reply as UpkeepReply;
    this.hear(Number(now));
    if (problem !== '') {
      await this.reopen();
      this.owner.wake();
      return 1;
    }
    this.others = others;
    this.hearSetting(setting);
    this.lost(lost);
    this.owner.reports.outlived(outlived);
    this.owner.reports.crashedOut(crashedOut);
    if (trims) {
      this.checkpoint = checkpoint;
      this.messagesAdded = added;
      this.lastId = lastId;
    }
    this.compare(mine);
    await this.owner.renewRight();
    if (reaps && budget > 0) {
      this.reapedMs = startedMs;
      this.reaps++;
    }
    if (budget === 0) return 1;
    if (this.setting.paused) return Math.min(BUSY_MS, idleMs);
    return due === '' ? idleMs : Math.max(1, Math.min(idleMs, Number(due) - Number(now)));
  }

  /** More in our hands by the server's count, twice in a row: a read whose reply was lost without the connection. */
  private compare(mine: number): void {
    this.surplus = mine > this.owner.heldCount ? this.surplus + 1 : 0;
    if (this.surplus < 3) return;
    this.surplus = 0;
    this.owner.recovers = true;
    this.owner.wake();
  }

  private hearSetting([paused, limit, moves]: SettingReply): void {
    if (this.moves !== undefined && moves !== this.moves) this.owner.moved();
    this.moves = moves;
    const before = JSON.stringify(this.setting);
    this.setting = { paused: paused === '1', ...(limit === '' ? {} : { limit: Number(limit) }) };
    if (JSON.stringify(this.setting) === before) return;
    this.owner.isSet(this.setting);
    // Whoever set it waits for this member to say so.
    if (this.running) this.again = true;
  }

  private hear(serverMs: number): void {
    this.offsetMs = serverMs - performance.now();
  }
}

function flag(yes: boolean): 0 | 1 {
  return yes ? 1 : 0;
}
