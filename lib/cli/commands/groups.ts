import { type Command, positional } from '../command.js';
import { type GroupRow, groupColumns, groupRow } from '../group-rows.js';
import type { Run } from '../run.js';
import { type Column, table } from '../text.js';
import { nextLook, watchArgs, watched } from '../watching.js';
import { steering } from './groups-steering.js';

const columns: readonly Column<GroupRow>[] = [...groupColumns, { name: 'limit', of: ({ limit }) => limit }];

const list: Command = {
  summary: 'Lists the groups of a topic.',
  details: 'lag is what a group has still to handle: waiting, held and retries. "~" marks an estimate.',
  examples: ['groups orders', 'groups list pause   # where a topic is called like one of the commands'],
  args: { topic: positional('The topic'), ...watchArgs },
  run: (run) => watched(run, () => show(run)),
};

/** `disco-bus groups <topic>`, and what is done to groups. */
export const groups: Command = {
  ...list,
  summary: 'Lists the groups of a topic, and steers them.',
  commands: { list, ...steering },
};

async function show(run: Run): Promise<undefined> {
  const topic = await run.topic();
  const rows = topic.groups.map((group) => groupRow(topic, group));
  nextLook(run);
  run.show(rows, () => table(columns, rows, run.terminal.paint));
}
