import { lagOf, liveMembers, type TopicInspection } from '../../driver/inspection.js';
import type { ChannelUse } from '../../drivers/redis/diagnosis/channel-uses.js';
import { topicMatcher } from '../../message/topic-pattern.js';
import { type Command, positional, writeArgs } from '../command.js';
import { CommandFailure, exitCodes } from '../exit-codes.js';
import { lookAt } from '../looking.js';
import type { Run } from '../run.js';
import { age, type Column, count, table } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';

/** A topic as the list shows it. */
interface TopicRow {
  readonly topic: string;
  readonly delivery: 'at-least-once';
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

const channelColumns: readonly Column<ChannelUse>[] = [
  { name: 'at most once', of: ({ topic }) => topic },
  { name: 'by its bare name', of: ({ bare }) => (bare ? 'yes' : 'no') },
  { name: 'used by', of: ({ usedBy }) => usedBy.join(', ') },
];

const list: Command = {
  summary: 'Lists topics: what waits in those that are stored, and who uses the others.',
  details:
    'Counts are messages; "~" marks an estimate. lag is what the slowest group has still to handle. Of topics at most once\nnothing is stored: they are listed while services use them.',
  examples: ['topics', "topics 'orders.*' --json"],
  args: { pattern: positional('Only those that it matches, as orders.*', false), ...watchArgs },
  run: (run) => watched(run, () => show(run)),
};

/** `disco-bus topics` */
export const topics: Command = {
  ...list,
  commands: {
    list,
    purge: {
      summary: 'Drops all that is stored of a topic that no group reads, with its delayed messages.',
      examples: ['topics purge orders --yes'],
      args: { topic: positional('The topic'), ...writeArgs },
      run: purge,
    },
  },
};

async function purge(run: Run): Promise<void> {
  const { topic, messages, delayed, groups } = await run.topic();
  if (groups.length > 0)
    throw new CommandFailure(
      exitCodes.failed,
      `"${topic}" is read by the group "${groups[0].group}": purge or remove its groups one by one`,
    );
  await run.confirm(`Drops ${count(messages, 'message')} of "${topic}", and ${delayed} delayed ones.`);
  const { bus } = await run.session();
  const dropped = await bus.admin.purgeTopic(topic, { by: run.by });
  run.show({ topic, messages: dropped }, () => `${count(dropped, 'message')} dropped`);
}

async function show(run: Run): Promise<undefined> {
  const pattern = run.given.text('pattern');
  const { topics: found, unreadable } = await lookAt(run, pattern);
  const { driver } = await run.session();
  const channels = await driver
    .diagnosis()
    .channels.list(pattern === undefined ? () => true : topicMatcher(pattern));
  const rows = found.map(rowOf);
  nextLook(run);
  const told = channels.map((channel) => ({ ...channel, delivery: 'at-most-once' }));
  run.show([...rows, ...told, ...unreadable], () => {
    const { paint } = run.terminal;
    const stored = table(columns, rows, paint);
    return channels.length === 0 ? stored : `${stored}\n\n${table(channelColumns, channels, paint)}`;
  });
}

function rowOf({ groups, ...topic }: TopicInspection): TopicRow {
  const { topic: name, at, messages, exact, oldestAt, delayed, overdue, published } = topic;
  return {
    topic: name,
    delivery: 'at-least-once',
    messages,
    exact,
    oldestAt,
    delayed,
    overdue,
    published,
    groups: groups.length,
    members: sum(groups.map((group) => liveMembers(group, at).length)),
    lag: Math.max(0, ...groups.map(lagOf)),
    deadLetters: sum(groups.map(({ deadLetters }) => deadLetters.messages)),
    at,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
