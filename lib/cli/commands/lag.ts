import { type Command, positional, valued } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { type GroupRow, groupColumns, groupRow } from '../group-rows.js';
import { lookAt } from '../looking.js';
import type { Run } from '../run.js';
import { type Column, count, table } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';

const columns: readonly Column<GroupRow>[] = [{ name: 'topic', of: ({ topic }) => topic }, ...groupColumns];

/** `disco-bus lag [pattern]` */
export const lag: Command = {
  summary: 'Shows how far each group is behind, the furthest first.',
  details:
    'lag is what a group has still to handle: waiting (nobody has it), held (a member has it) and retries. With\n--fail-above the exit code is 6 as soon as one group is further behind; that ends --watch, too.',
  examples: ['lag', "lag 'orders.*' --watch --every 1s", 'lag --group billing --fail-above 1000'],
  args: {
    pattern: positional('Only topics that it matches, as orders.*', false),
    group: valued('name', 'Only groups of this name'),
    'fail-above': valued('messages', 'Exit code 6 when a group has more messages to handle'),
    ...watchArgs,
  },
  run: (run) => {
    const most = run.given.whole('fail-above') ?? Number.POSITIVE_INFINITY;
    return watched(run, () => look(run, most));
  },
};

async function look(run: Run, most: number): Promise<'done' | undefined> {
  const { topics, unreadable } = await lookAt(run, run.given.text('pattern'));
  const only = run.given.text('group');
  const rows = topics
    .flatMap((topic) => topic.groups.map((group) => groupRow(topic, group)))
    .filter(({ group }) => only === undefined || group === only)
    .sort((one, other) => other.lag - one.lag);
  nextLook(run);
  run.show([...rows, ...unreadable], () => table(columns, rows, run.terminal.paint));
  const above = rows.filter(({ lag }) => lag > most);
  if (above.length === 0) return undefined;
  run.exitCode = exitCodes.threshold;
  run.terminal.tellFailure(`${count(above.length, 'group')} with more than ${most} messages to handle`);
  return 'done';
}
