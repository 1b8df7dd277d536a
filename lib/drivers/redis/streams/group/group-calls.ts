import type { GroupSetting } from '../../../../driver/group-setting.js';
import { openScript, soleReaderScript, upkeepScript } from '../scripts/group-scripts.js';
import type { StreamClient } from '../stream-connection.js';
import { StreamScript } from '../stream-script.js';
import type { GroupMember, MemberReport } from './group-member.js';

const open = new StreamScript(openScript);
const upkeep = new StreamScript(upkeepScript);
const soleReader = new StreamScript(soleReaderScript);

/** Entries of dead members taken back in one call. */
const REAP_AT_ONCE = 100;

type SettingReply = [paused: string, limit: string, moves: string];

/** What was ever added to a stream, as Redis counts it. */
interface StreamCount {
  /** Messages; -1 where that is not known. */
  readonly added: number;
  readonly lastId: string;
}

/** How operators have set a group, and how often they have moved it. */
function settingOf([paused, limit, moves]: SettingReply): { setting: GroupSetting; moves: string } {
  return { setting: { paused: paused === '1', ...(limit !== '' && { limit: Number(limit) }) }, moves };
}

/** How a member joins its group. */
interface Opening {
  readonly startFrom: 'beginning' | 'new';
  readonly checkpoint: string;
  /** What this member says of itself. */
  readonly report: MemberReport;
}

/** Makes the group where it is missing: at `checkpoint`, or, where that is empty, as `startFrom` says. */
export async function openGroup(
  client: StreamClient,
  { group, keys, name, options }: GroupMember,
  { startFrom, checkpoint, report }: Opening,
) {
  const { stream, retry, state, members } = keys;
  const args = [group, name, options.claimAfterMs, startFrom === 'new' ? '$' : '0', checkpoint];
  args.push(JSON.stringify(report));
  const [now, created, existed, lastId, added, evicted, countedId, ...setting] = (await open.run(
    client,
    [stream, retry, state, members],
    args,
  )) as [string, number, number, string, number, number, string, ...SettingReply];
  const count: StreamCount = { added, lastId: countedId };
  return {
    nowMs: Number(now),
    created: created === 1,
    /** There was a stream already. */
    existed: existed !== 0,
    /** Of the stream. */
    lastId,
    count,
    /** The server has dropped keys. */
    evicted: evicted === 1,
    ...settingOf(setting),
  };
}

/** What one upkeep of a group does, beside moving what is due. */
interface UpkeepTasks {
  /** Takes back the entries of dead members. */
  readonly reaps: boolean;
  readonly trims: boolean;
  /** Looks also for what is rare: consumers that are no members, and evicted retries. */
  readonly sweeps: boolean;
  /** What this member says of itself. */
  readonly report: MemberReport;
}

/** Says that this member is alive, and does what is to be done for the group. */
export async function keepUp(
  client: StreamClient,
  { group, keys, name, options }: GroupMember,
  { reaps, trims, sweeps, report }: UpkeepTasks,
) {
  const { stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies } = keys;
  const names = [stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies];
  const args = [group, name, options.claimAfterMs, options.maxCrashes, flag(reaps), flag(trims)];
  args.push(REAP_AT_ONCE, options.maxDeadLetters, flag(sweeps), JSON.stringify(report));
  const reply = (await upkeep.run(client, names, args)) as [
    ...[now: string, problem: string, due: string, mine: number, others: number, reaped: number],
    ...[lost: number, outlived: number, checkpoint: string, added: number, budget: number],
    ...[lastId: string, crashedOut: number, unreadable: number, expired: number, expiredLater: number],
    ...SettingReply,
  ];
  const [now, problem, due, mine, others, , lost, outlived, checkpoint, added, budget] = reply;
  const [lastId, crashedOut, unreadable, expired, expiredLater, ...setting] = reply.slice(11) as [
    ...[string, number, number, number, number],
    ...SettingReply,
  ];
  const count: StreamCount = { added, lastId };
  return {
    nowMs: Number(now),
    /** The group is gone, or is another one. */
    problem: problem !== '',
    /** When something is due next; Infinity for never. */
    dueMs: due === '' ? Number.POSITIVE_INFINITY : Number(due),
    /** Entries that Redis counts as in this member's hands. */
    mine,
    /** Other members that say they are alive. */
    others,
    lost,
    outlived,
    /** Became dead letters: for crashes, and as they hold no frame. */
    crashedOut,
    unreadable,
    /** Messages dropped for their time to live: retries of the group, and delayed publishes that no group has read. */
    expired,
    expiredLater,
    checkpoint,
    count,
    /** False where more is to be done than one call may do. */
    finished: budget > 0,
    ...settingOf(setting),
  };
}

function flag(yes: boolean): 0 | 1 {
  return yes ? 1 : 0;
}

/** What a member remembers of a stream: to notice that the server has lost it, and where to make its group again. */
export class StreamHistory {
  checkpoint = '';
  /** Messages that were ever added; -1 where that is not known. */
  added = -1;
  private lastId = '';

  /** Whether the stream is younger than the one that was there before. */
  isAnother({ added, lastId }: StreamCount): boolean {
    if (added < 0) return false;
    return added < this.added || (added === this.added && lastId !== this.lastId);
  }

  note({ added, lastId }: StreamCount, checkpoint: string): void {
    this.added = added;
    this.lastId = lastId;
    this.checkpoint = checkpoint;
  }
}

/** The right of one consumer to read a group that only one may read at a time. */
export class SoleReader {
  /** On the monotonic clock, counted from before asking. */
  private heldUntilMs = 0;

  constructor(private readonly member: GroupMember) {}

  get mayRead(): boolean {
    return performance.now() < this.heldUntilMs;
  }

  /** Takes or keeps the right to read; true if it is new. Rejects when Redis cannot be asked: the right then runs out. */
  async renew(): Promise<boolean> {
    const askedMs = performance.now();
    const isNew = askedMs >= this.heldUntilMs;
    const granted = (await this.ask(0)) === 1;
    this.heldUntilMs = granted ? askedMs + this.member.options.claimAfterMs : 0;
    return granted && isNew;
  }

  /** Lets another consumer follow at once. */
  async giveUp(): Promise<void> {
    this.heldUntilMs = 0;
    await this.ask(1);
  }

  private ask(givesUp: 0 | 1): Promise<unknown> {
    const { connection, group, name, options, keys } = this.member;
    const args = [group, name, options.claimAfterMs, givesUp];
    return connection.run((client) => soleReader.run(client, [keys.stream, keys.retry, keys.state], args));
  }
}
