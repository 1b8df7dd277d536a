import type {
  DeadLetterCounts,
  GroupInspection,
  MemberInspection,
  TopicInspection,
} from '../../../../driver/inspection.js';

/** What the script answers. An empty list is an empty object there. */
interface TopicReport {
  readonly at: number;
  readonly messages: number;
  readonly entries: number;
  readonly exact: boolean;
  readonly bytes?: number;
  readonly published: number;
  readonly oldest?: number;
  readonly delayed: number;
  readonly nextDue?: number;
  readonly overdue: number;
  readonly groups: readonly GroupReport[] | object;
}

interface GroupReport {
  readonly group: string;
  readonly waiting: number;
  readonly oldest?: number;
  readonly exact: boolean;
  readonly retries: number;
  readonly nextRetry?: number;
  readonly letters: {
    readonly entries: number;
    readonly messages: number;
    readonly reasons: readonly [reason: string, count: number][] | object;
  };
  readonly paused: boolean;
  readonly position: string;
  readonly lastRead?: number;
  readonly members: readonly MemberReport[] | object;
}

interface MemberReport {
  readonly id: string;
  readonly aliveUntil?: number;
  readonly held: number;
  /** JSON of its own. */
  readonly info?: string;
}

/** What a member says of itself. Anybody who may write to the server may have written it, so each field is checked. */
interface MemberInfo {
  readonly service?: unknown;
  readonly host?: unknown;
  readonly pid?: unknown;
  readonly version?: unknown;
  readonly running?: unknown;
  readonly since?: unknown;
  readonly at?: unknown;
}

/** `<service>@<host>:<random>`, as members are named. */
const memberName = /^(.+)@([^@]+):[0-9a-f]+$/;

/** What a topic holds, from the answer of the script. */
export function topicInspection(topic: string, reply: string): TopicInspection {
  const { at, messages, entries, exact, bytes, published, oldest, delayed, nextDue, overdue, groups } =
    JSON.parse(reply) as TopicReport;
  const inspected = listOf<GroupReport>(groups).map((group) => groupInspection(group, at, published));
  return {
    topic,
    delivery: 'at-least-once',
    at,
    messages,
    entries,
    exact,
    bytes,
    published,
    oldestAt: oldest,
    delayed,
    nextDueAt: nextDue,
    overdue,
    groups: inspected.sort((one, other) => (one.group < other.group ? -1 : 1)),
  };
}

function groupInspection(report: GroupReport, at: number, published: number): GroupInspection {
  const { group, waiting, oldest, exact, retries, nextRetry, paused, position, lastRead } = report;
  const members = listOf<MemberReport>(report.members)
    .map((member) => memberInspection(member))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  const held = sum(members.map((member) => member.held));
  const live = members.filter(({ aliveUntil = 0 }) => aliveUntil > at);
  return {
    group,
    waiting,
    held,
    running: sum(live.map(({ running }) => running)),
    exact,
    oldestUnhandledAt: oldest,
    retries,
    nextRetryAt: nextRetry,
    deadLetters: deadLetters(report.letters),
    paused,
    position: position === '0-0' ? undefined : position,
    lastReadAt: lastRead,
    handled: exact ? published - waiting - held - retries : undefined,
    members,
  };
}

function deadLetters({ entries, messages, reasons }: GroupReport['letters']): DeadLetterCounts {
  return { entries, messages, byReason: Object.fromEntries(listOf<[string, number]>(reasons)) };
}

/** A member reports now and then only: no more of what it holds runs than it holds by now. */
function memberInspection({ id, aliveUntil, held, info }: MemberReport): MemberInspection {
  const [, serviceOfName, hostOfName] = memberName.exec(id) ?? [];
  const said = infoOf(info);
  const running = Math.min(held, number(said.running) ?? 0);
  return {
    id,
    service: text(said.service) ?? serviceOfName,
    host: text(said.host) ?? hostOfName,
    pid: number(said.pid),
    version: text(said.version),
    aliveUntil,
    held,
    running,
    runningSince: running > 0 ? number(said.since) : undefined,
    reportedAt: number(said.at),
  };
}

function infoOf(info: string | undefined): MemberInfo {
  if (info === undefined) return {};
  try {
    const said: unknown = JSON.parse(info);
    return typeof said === 'object' && said !== null ? said : {};
  } catch {
    return {};
  }
}

function listOf<Item>(list: readonly Item[] | object): readonly Item[] {
  return Array.isArray(list) ? list : [];
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= 200 ? value : undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
