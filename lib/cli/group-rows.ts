import { type GroupInspection, lagOf, liveMembers, type TopicInspection } from '../driver/inspection.js';
import { age, type Column, until } from './text.js';

/** A group as lists show it. */
export interface GroupRow extends Omit<GroupInspection, 'members' | 'deadLetters'> {
  readonly topic: string;
  readonly lag: number;
  readonly deadLetters: number;
  /** Alive. */
  readonly members: number;
  /** When this was so. */
  readonly at: number;
}

export function groupRow({ topic, at }: TopicInspection, group: GroupInspection): GroupRow {
  const { members: _, deadLetters, ...told } = group;
  const members = liveMembers(group, at).length;
  return { topic, ...told, lag: lagOf(group), deadLetters: deadLetters.messages, members, at };
}

export const groupColumns: readonly Column<GroupRow>[] = [
  { name: 'group', of: ({ group }) => group },
  { name: 'lag', of: ({ lag, exact }) => (exact ? lag : `~${lag}`) },
  { name: 'waiting', of: ({ waiting }) => waiting },
  { name: 'held', of: ({ held }) => held },
  { name: 'running', of: ({ running }) => running },
  { name: 'oldest', of: ({ oldestUnhandledAt, at }) => age(oldestUnhandledAt, at) },
  { name: 'retries', of: ({ retries }) => retries },
  { name: 'next retry', of: ({ nextRetryAt, at }) => until(nextRetryAt, at) },
  {
    name: 'dead',
    of: ({ deadLetters }) => deadLetters,
    tone: ({ deadLetters }) => (deadLetters > 0 ? 'red' : undefined),
  },
  {
    name: 'members',
    of: ({ members }) => members,
    tone: ({ members }) => (members === 0 ? 'yellow' : undefined),
  },
  { name: 'last read', of: ({ lastReadAt, at }) => until(lastReadAt, at) },
  {
    name: 'paused',
    of: ({ paused }) => (paused ? 'yes' : 'no'),
    tone: ({ paused }) => (paused ? 'yellow' : undefined),
  },
];
