import type {
  GroupInspection,
  InspectionOptions,
  MemberInspection,
  TopicInspection,
} from '../../driver/inspection.js';
import type { MemberDelivery } from './group-member.js';
import { type LogEntry, unsettled } from './log-entry.js';
import type { GroupStanding, LogStanding } from './standing.js';

/** What a topic holds, counted one by one. */
export function topicInspection(
  log: LogStanding,
  { bytes = false }: InspectionOptions = {},
): TopicInspection {
  const { topic, at, nowMs, entries, later, published } = log;
  const kept = keptEntries(log);
  const dueAt = Array.from(later.values(), ({ due }) => at + Math.round(due.dueMs - nowMs));
  return {
    topic,
    delivery: 'at-least-once',
    at,
    messages: sum(kept.map(({ messages }) => messages)),
    entries: entries.size,
    exact: true,
    bytes: bytes ? log.bytes : undefined,
    published,
    oldestAt: wallTime(log, least(kept.map(({ storedMs }) => storedMs))),
    delayed: sum(Array.from(later.values(), ({ messages }) => messages)),
    nextDueAt: least(dueAt),
    overdue: dueAt.filter((dueMs) => dueMs < at).length,
    groups: log.groups
      .map((group) => groupInspection(group, log))
      .sort((one, other) => (one.group < other.group ? -1 : 1)),
  };
}

/** Those that some group has not read, or holds in its first attempt; all where there is no group. */
function keptEntries({ entries, groups }: LogStanding): LogEntry[] {
  const from = groups.length === 0 ? 0 : Math.min(...groups.map(({ cursor }) => cursor));
  const first = groups.flatMap(({ deliveries }) =>
    deliveries.filter(({ task }) => task.backMs === undefined),
  );
  const held = new Set(first.map(({ task }) => task.entry.seq));
  return [...entries.values()].filter(({ seq }) => seq >= from || held.has(seq));
}

function groupInspection(standing: GroupStanding, log: LogStanding): GroupInspection {
  const { group, position, deliveries, returned, cursor, leftMs, deadLetters } = standing;
  const { at, nowMs } = log;
  const fresh = [...log.entries.values()].filter(({ seq }) => seq >= cursor);
  const waiting = sum(fresh.map(({ messages }) => messages)) + sum(returned.map(unsettled));
  const held = sum(deliveries.map((delivery) => delivery.held));
  const retries = sum(standing.retries.map(([task]) => unsettled(task)));
  const tasks = [...returned, ...deliveries.map(({ task }) => task)];
  const since = [...fresh.map(({ storedMs }) => storedMs), ...tasks.map((t) => t.backMs ?? t.entry.storedMs)];
  return {
    group,
    waiting,
    held,
    running: sum(deliveries.map((delivery) => delivery.running)),
    exact: true,
    oldestUnhandledAt: wallTime(log, least(since)),
    retries,
    nextRetryAt: least(standing.retries.map(([, { dueMs }]) => at + Math.round(dueMs - nowMs))),
    deadLetters,
    ...standing.setting,
    position,
    lastReadAt: leftMs === undefined ? at : Math.trunc(leftMs),
    handled: log.published - waiting - held - retries,
    members: membersOf(standing, at),
  };
}

/** A process is one member, however many subscriptions it has. */
function membersOf({ members }: GroupStanding, at: number): MemberInspection[] {
  const deliveries = new Map<string, MemberDelivery[]>();
  for (const member of members) {
    deliveries.set(member.id, [...(deliveries.get(member.id) ?? []), ...member.deliveries]);
  }
  const identities = new Map(members.map((member) => [member.id, member]));
  return Array.from(identities.values(), ({ id, service, host, pid, version }) => {
    const own = deliveries.get(id) ?? [];
    return {
      id,
      service,
      host,
      pid,
      version,
      held: sum(own.map((delivery) => delivery.held)),
      running: sum(own.map((delivery) => delivery.running)),
      runningSince: least(own.flatMap(({ runningSince }) => runningSince ?? [])),
      reportedAt: at,
    };
  }).sort((one, other) => (one.id < other.id ? -1 : 1));
}

function wallTime({ at, nowMs }: LogStanding, monotonicMs: number | undefined): number | undefined {
  return monotonicMs === undefined ? undefined : Math.round(at - (nowMs - monotonicMs));
}

/** Not by spreading: there may be a million. */
function least(numbers: readonly number[]): number | undefined {
  return numbers.length === 0 ? undefined : numbers.reduce((one, other) => Math.min(one, other));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
