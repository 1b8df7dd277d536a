import { type GroupInspection, liveMembers, type TopicInspection } from '../driver/inspection.js';

/** A group as lists show it. */
export interface GroupView {
  readonly group: string;
  readonly waiting: number;
  readonly held: number;
  readonly running: number;
  readonly exact: boolean;
  /** Age of the oldest message that is not handled, milliseconds. */
  readonly oldestMs?: number;
  readonly retries: number;
  readonly nextRetryAt?: number;
  /** Messages in them. */
  readonly deadLetters: number;
  /** Alive. */
  readonly members: number;
  readonly paused: boolean;
  readonly limit?: number;
  readonly handled?: number;
}

/** A topic as lists show it. */
export interface TopicView
  extends Pick<TopicInspection, 'topic' | 'at' | 'messages' | 'exact' | 'published' | 'delayed' | 'overdue'> {
  readonly nextDueAt?: number;
  readonly groups: readonly GroupView[];
}

/** Sums over topics. */
export interface Totals {
  readonly topics: number;
  readonly groups: number;
  readonly waiting: number;
  readonly held: number;
  readonly running: number;
  readonly retries: number;
  readonly deadLetters: number;
  readonly delayed: number;
  readonly published: number;
}

export function topicView(found: TopicInspection): TopicView {
  const { topic, at, messages, exact, published, delayed, overdue, nextDueAt } = found;
  const groups = found.groups.map((group) => groupView(group, at));
  return { topic, at, messages, exact, published, delayed, overdue, nextDueAt, groups };
}

function groupView(group: GroupInspection, at: number): GroupView {
  const { waiting, held, running, exact, retries, nextRetryAt, paused, limit, handled } = group;
  const { oldestUnhandledAt: oldest } = group;
  return {
    ...{ group: group.group, waiting, held, running, exact, retries, nextRetryAt, paused, limit, handled },
    oldestMs: oldest === undefined ? undefined : Math.max(0, at - oldest),
    deadLetters: group.deadLetters.messages,
    members: liveMembers(group, at).length,
  };
}

export function totalsOf(topics: readonly TopicView[]): Totals {
  const groups = topics.flatMap((topic) => topic.groups);
  const sum = <Row>(rows: readonly Row[], read: (row: Row) => number) =>
    rows.reduce((total, row) => total + read(row), 0);
  return {
    topics: topics.length,
    groups: groups.length,
    waiting: sum(groups, ({ waiting }) => waiting),
    held: sum(groups, ({ held }) => held),
    running: sum(groups, ({ running }) => running),
    retries: sum(groups, ({ retries }) => retries),
    deadLetters: sum(groups, ({ deadLetters }) => deadLetters),
    delayed: sum(topics, ({ delayed }) => delayed),
    published: sum(topics, ({ published }) => published),
  };
}
