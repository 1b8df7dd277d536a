import type { HeldEntry } from '../../drivers/redis/diagnosis/group-diagnosis.js';
import { type Command, positional, valued } from '../command.js';
import type { Run } from '../run.js';
import { age, type Column, duration, table, until } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';

const memberColumns = (now: number): readonly Column<MemberRow>[] => [
  { name: 'member', of: ({ id }) => id },
  { name: 'service', of: ({ service }) => service },
  { name: 'host', of: ({ host }) => host },
  { name: 'pid', of: ({ pid }) => pid },
  { name: 'version', of: ({ version }) => version },
  { name: 'held', of: ({ held }) => held },
  { name: 'running', of: ({ running }) => running },
  { name: 'longest', of: ({ runningSince }) => age(runningSince, now) },
  {
    name: 'alive',
    of: ({ aliveUntil }) =>
      aliveUntil === undefined ? 'no' : aliveUntil > now ? 'yes' : `no, since ${until(aliveUntil, now)}`,
    tone: ({ aliveUntil = 0 }) => (aliveUntil > now ? undefined : 'yellow'),
  },
];

type MemberRow = Awaited<ReturnType<Run['group']>>['group']['members'][number];

const entryColumns = (now: number): readonly Column<HeldEntry>[] => [
  { name: 'position', of: ({ position }) => position },
  { name: 'member', of: ({ member }) => member },
  { name: 'messages', of: ({ messages }) => messages },
  { name: 'held for', of: ({ heldSince }) => duration(now - heldSince) },
  { name: 'age', of: ({ publishedAt }) => age(publishedAt, now) },
  { name: 'failures', of: ({ failures }) => failures },
  { name: 'crashes', of: ({ crashes }) => crashes },
];

/** `disco-bus pending <topic> <group>` */
export const pending: Command = {
  summary: 'Shows what the members of a group hold, and for how long.',
  details:
    'A member holds what it has read and not settled. Entries that were held the longest come first; a bundle is one entry\nof several messages. failures and crashes are those of earlier attempts.',
  examples: ['pending orders billing', 'pending orders billing --watch'],
  args: {
    topic: positional('The topic'),
    group: positional('The group'),
    limit: valued('entries', 'The most entries that are listed, 1 to 1000. Default: 20'),
    ...watchArgs,
  },
  run: (run) => watched(run, () => show(run)),
};

async function show(run: Run): Promise<undefined> {
  const limit = run.given.whole('limit', 1, 1_000) ?? 20;
  const { topic, group } = await run.group();
  const { driver } = await run.session();
  const held = await driver.diagnosis().groups.held(topic.topic, group.group, limit);
  const entries = held.slice(0, limit);
  const { at } = topic;
  const told = { topic: topic.topic, group: group.group, at, members: group.members, entries };
  nextLook(run);
  run.show(told, () => {
    const { paint } = run.terminal;
    const members =
      group.members.length === 0 ? 'No member.' : table(memberColumns(at), group.members, paint);
    const list = entries.length === 0 ? 'Nothing is held.' : table(entryColumns(at), entries, paint);
    return `${members}\n\n${list}`;
  });
}
