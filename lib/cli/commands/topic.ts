import type { TopicInspection } from '../../driver/inspection.js';
import { type Command, positional } from '../command.js';
import { groupColumns, groupRow } from '../group-rows.js';
import type { Run } from '../run.js';
import { age, facts, table, until } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';

/** `disco-bus topic <topic>` */
export const topic: Command = {
  summary: 'Shows one topic: what is kept of it, and where its groups are.',
  examples: ['topic orders', 'topic orders --json'],
  args: { topic: positional('The topic'), ...watchArgs },
  run: (run) => watched(run, () => show(run)),
};

async function show(run: Run): Promise<undefined> {
  const found = await run.topic(true);
  nextLook(run);
  run.show(found, () => {
    const rows = found.groups.map((group) => groupRow(found, group));
    const groups = rows.length === 0 ? 'No group reads it.' : table(groupColumns, rows, run.terminal.paint);
    return `${factsOf(found)}\n\n${groups}`;
  });
}

function factsOf(topic: TopicInspection): string {
  const { at, exact, messages } = topic;
  return facts([
    ['topic', topic.topic],
    ['delivery', topic.delivery],
    ['messages', exact ? messages : `~${messages}`],
    ['entries', topic.entries],
    ['bytes', topic.bytes],
    ['oldest', age(topic.oldestAt, at)],
    ['published', topic.published],
    ['delayed', topic.delayed],
    ['next due', until(topic.nextDueAt, at)],
    ['overdue', topic.overdue],
  ]);
}
