import type { DelayedPublish } from '../../bus/operate/bus-admin.js';
import { type Command, positional, valued, writeArgs } from '../command.js';
import { notFound } from '../exit-codes.js';
import { messageRow, payloadText } from '../payloads.js';
import type { Run } from '../run.js';
import { type Column, iso, table } from '../text.js';

const columns: readonly Column<DelayedPublish>[] = [
  { name: 'id', of: ({ id }) => id },
  { name: 'due', of: ({ dueAt }) => iso(dueAt) },
  { name: 'payload', of: ({ message }) => payloadText(message) },
];

const one = { topic: positional('The topic'), id: positional('Which, as the list names it'), ...writeArgs };

const list: Command = {
  summary: 'Lists messages that were published with a delay and are not due yet.',
  examples: ['delayed orders', 'delayed orders --offset 100'],
  args: {
    topic: positional('The topic'),
    limit: valued('messages', '1 to 1000. Default: 100'),
    offset: valued('messages', 'Leaves out so many that are due before. Default: 0'),
  },
  run: show,
};

/** `disco-bus delayed <topic>` */
export const delayed: Command = {
  ...list,
  summary: 'Lists delayed messages, the next to be due first; publishes or removes one.',
  commands: {
    list,
    run: { summary: 'Publishes a delayed message now.', args: one, run: publish },
    rm: { summary: 'Deletes a delayed message.', args: one, run: remove },
  },
};

async function show(run: Run): Promise<void> {
  const limit = run.given.whole('limit', 1, 1_000);
  const offset = run.given.whole('offset');
  const { topic } = await run.topic();
  const { bus } = await run.session();
  const found = await bus.admin.delayed(topic, { limit, offset });
  const rows = found.map(({ id, dueAt, message }) => ({ id, dueAt, message: messageRow(message) }));
  run.show(rows, () => table(columns, found, run.terminal.paint));
}

async function publish(run: Run): Promise<void> {
  const { topic } = await run.topic();
  const id = run.given.word('id');
  await run.confirm(`Publishes the delayed message ${id} of "${topic}" now.`);
  const { bus } = await run.session();
  if (!(await bus.admin.publishDelayed(topic, id, { by: run.by }))) throw gone(topic, id);
  run.show({ topic, id, published: true }, () => 'Published');
}

async function remove(run: Run): Promise<void> {
  const { topic } = await run.topic();
  const id = run.given.word('id');
  await run.confirm(`Deletes the delayed message ${id} of "${topic}".`);
  const { bus } = await run.session();
  if (!(await bus.admin.removeDelayed(topic, id, { by: run.by }))) throw gone(topic, id);
  run.show({ topic, id, removed: true }, () => 'Deleted');
}

function gone(topic: string, id: string) {
  return notFound(`The topic "${topic}" has no delayed message ${id}: it is due, or was never there`);
}
