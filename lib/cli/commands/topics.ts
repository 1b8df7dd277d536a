import type { TopicInspection } from '../../driver/inspection.js';
import { type Command, positional } from '../command.js';
import { lagOf, living, lookAt } from '../looking.js';
import type { Run } from '../run.js';
import { age, type Column, table } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';

/** A topic as the list shows it. */
interface TopicRow {
  readonly topic: string;
  readonly messages: number;
  readonly exact: boolean;
  readonly oldestAt?: number;
  readonly delayed: number;
  readonly overdue: number;
  readonly published: number;
  readonly groups: number;
  readonly members: number;
  /** Of the group that is furthest behind. */
  readonly lag: number;
  readonly deadLetters: number;
  readonly at: number;
}

const columns: readonly Column<TopicRow>[] = [
  { name: 'topic', of: (row) => row.topic },
  { name: 'messages', of: ({ messages, exact }) => (exact ? messages : `~${messages}`) },
  { name: 'oldest', of: ({ oldestAt, at }) => age(oldestAt, at) },
  { name: 'delayed', of: ({ delayed }) => delayed },
  {
    name: 'overdue',
    of: ({ overdue }) => overdue,
    tone: ({ overdue }) => (overdue > 0 ? 'yellow' : undefined),
  },
  { name: 'published', of: ({ published }) => published },
  { name: 'groups', of: ({ groups }) => groups, tone: ({ groups }) => (groups === 0 ? 'yellow' : undefined) },
  { name: 'members', of: ({ members }) => members },
  { name: 'lag', of: ({ lag }) => lag },
  {
    name: 'dead',
    of: ({ deadLetters }) => deadLetters,
    tone: ({ deadLetters }) => (deadLetters > 0 ? 'red' : undefined),
  },
];

/** `disco-bus topics` */
export const topics: Command = {
  summary: 'Lists topics that are stored, with how much waits in each.',
  details:
    'Counts are messages; "~" marks an estimate. lag is what the slowest group has still to handle. Topics that are\npublished at most once are stored nowhere, and so not listed.',
  examples: ['topics', "topics 'orders.*' --json"],
  args: { pattern: positional('Only those that it matches, as orders.*', false), ...watchArgs },
  run: (run) => watched(run, () => list(run)),
};

async function list(run: Run): Promise<undefined> {
  const { topics: found, unreadable } = await lookAt(run, run.given.text('pattern'));
  const rows = found.map(rowOf);
  nextLook(run);
  run.show([...rows, ...unreadable], () => table(columns, rows, run.terminal.paint));
}

function rowOf({ groups, ...topic }: TopicInspection): TopicRow {
  const { topic: name, at, messages, exact, oldestAt, delayed, overdue, published } = topic;
  return {
    topic: name,
    messages,
    exact,
    oldestAt,
    delayed,
    overdue,
    published,
    groups: groups.length,
    members: sum(groups.map((group) => living(group, at).length)),
    lag: Math.max(0, ...groups.map(lagOf)),
    deadLetters: sum(groups.map(({ deadLetters }) => deadLetters.messages)),
    at,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
