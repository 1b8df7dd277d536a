import type { Cluster, Redis } from 'ioredis';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { openScript, upkeepScript } from '../scripts/group-scripts.js';
import type { GroupKeys } from '../stream-keys.js';
import type { ResolvedStreamOptions } from '../stream-options.js';
import { StreamScript } from '../stream-script.js';
import type { StreamCount } from './stream-history.js';

const open = new StreamScript(openScript);
const upkeep = new StreamScript(upkeepScript);

/** Entries of dead members taken back in one call. */
const REAP_AT_ONCE = 100;

type SettingReply = [paused: string, limit: string, moves: string];

/** The group that is called for. */
interface CalledGroup {
  readonly group: string;
  readonly keys: GroupKeys;
}

/** The member that calls. */
interface CallingMember {
  readonly name: string;
  readonly options: ResolvedStreamOptions;
}

/** How operators have set a group, and how often they have moved it. */
function settingOf([paused, limit, moves]: SettingReply): { setting: GroupSetting; moves: string } {
  return { setting: { paused: paused === '1', ...(limit !== '' && { limit: Number(limit) }) }, moves };
}

/** Makes the group where it is missing: at `checkpoint`, or, where that is empty, as `startFrom` says. */
export async function openGroup(
  client: Redis | Cluster,
  { group, keys }: CalledGroup,
  { name, options }: CallingMember,
  { startFrom, checkpoint }: { readonly startFrom: 'beginning' | 'new'; readonly checkpoint: string },
) {
  const { stream, retry, state, members } = keys;
  const args = [group, name, options.claimAfterMs, startFrom === 'new' ? '$' : '0', checkpoint];
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

/** What one look after a group does, beside moving what is due. */
export interface UpkeepTasks {
  /** Takes back the entries of dead members. */
  readonly reaps: boolean;
  readonly trims: boolean;
  /** Looks for what is seldom there as well. */
  readonly sweeps: boolean;
  /** What this member says of itself. */
  readonly report: string;
}

/** Says that this member is alive, and does what is to be done for the group. */
export async function keepUp(
  client: Redis | Cluster,
  { group, keys }: CalledGroup,
  { name, options }: CallingMember,
  { reaps, trims, sweeps, report }: UpkeepTasks,
) {
  const { stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies } = keys;
  const names = [stream, retry, state, members, delayed, bodies, dead, parts, later, laterBodies];
  const args = [group, name, options.claimAfterMs, options.maxCrashes, flag(reaps), flag(trims)];
  args.push(REAP_AT_ONCE, options.maxDeadLetters, flag(sweeps), report);
  const reply = (await upkeep.run(client, names, args)) as [
    ...[now: string, problem: string, due: string, mine: number, others: number, reaped: number],
    ...[lost: number, outlived: number, checkpoint: string, added: number, budget: number],
    ...[lastId: string, crashedOut: number],
    ...SettingReply,
  ];
  const [now, problem, due, mine, others, , lost, outlived, checkpoint, added, budget] = reply;
  const [lastId, crashedOut, ...setting] = reply.slice(11) as [string, number, ...SettingReply];
  const count: StreamCount = { added, lastId };
  return {
    nowMs: Number(now),
    /** The group is gone, or is another one. */
    problem: problem !== '',
    /** When something is due next. */
    dueMs: due === '' ? undefined : Number(due),
    /** Entries that Redis counts as in this member's hands. */
    mine,
    /** Other members that say they are alive. */
    others,
    lost,
    outlived,
    crashedOut,
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
