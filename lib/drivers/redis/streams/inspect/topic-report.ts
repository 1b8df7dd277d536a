import type {
  DeadLetterCounts,
  GroupInspection,
  MemberInspection,
  TopicInspection,
} from '../../../../driver/inspection.js';
import { saidIn } from '../group/member-report.js';

/** What the script answers: what is told of a topic, but for its name and its groups. An empty list is an empty object there. */
interface TopicReport extends Omit<TopicInspection, 'topic' | 'delivery' | 'groups'> {
  readonly groups: readonly GroupReport[] | object;
}

interface GroupReport
  extends Omit<GroupInspection, 'held' | 'running' | 'deadLetters' | 'position' | 'handled' | 'members'> {
  readonly letters: {
    readonly entries: number;
    readonly messages: number;
    readonly reasons: readonly [reason: string, count: number][] | object;
  };
  readonly position: string;
  readonly members: readonly MemberReport[] | object;
}

interface MemberReport {
  readonly id: string;
  readonly aliveUntil?: number;
  readonly held: number;
  /** JSON of its own. */
  readonly info?: string;
}

/** `<service>@<host>:<random>`, as members are named. */
const memberName = /^(.+)@([^@]+):[0-9a-f]+$/;

/** What JSON leaves out is there all the same, as undefined. */
const unknownOfTopic = { bytes: undefined, oldestAt: undefined, nextDueAt: undefined };
const unknownOfGroup = { oldestUnhandledAt: undefined, nextRetryAt: undefined, lastReadAt: undefined };

/** What a topic holds, from the answer of the script. */
export function topicInspection(topic: string, reply: string): TopicInspection {
  const { groups, ...report } = JSON.parse(reply) as TopicReport;
  const inspected = listOf<GroupReport>(groups).map((group) => groupInspection(group, report));
  inspected.sort((one, other) => (one.group < other.group ? -1 : 1));
  return { topic, delivery: 'at-least-once', ...unknownOfTopic, ...report, groups: inspected };
}

function groupInspection(
  { letters, position, members, ...report }: GroupReport,
  { at, published }: Pick<TopicInspection, 'at' | 'published'>,
): GroupInspection {
  const { waiting, retries, exact } = report;
  const inspected = listOf<MemberReport>(members).map((member) => memberInspection(member));
  inspected.sort((one, other) => (one.id < other.id ? -1 : 1));
  const held = sum(inspected.map((member) => member.held));
  const live = inspected.filter(({ aliveUntil = 0 }) => aliveUntil > at);
  return {
    ...unknownOfGroup,
    ...report,
    held,
    running: sum(live.map(({ running }) => running)),
    deadLetters: deadLetters(letters),
    position: position === '0-0' ? undefined : position,
    handled: exact ? published - waiting - held - retries : undefined,
    members: inspected,
  };
}

function deadLetters({ entries, messages, reasons }: GroupReport['letters']): DeadLetterCounts {
  return { entries, messages, byReason: Object.fromEntries(listOf<[string, number]>(reasons)) };
}

/** A member reports now and then only: no more of what it holds runs than it holds by now. */
function memberInspection({ id, aliveUntil, held, info }: MemberReport): MemberInspection {
  const [, serviceOfName, hostOfName] = memberName.exec(id) ?? [];
  const said = saidIn(info);
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
