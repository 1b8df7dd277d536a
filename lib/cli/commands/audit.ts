import type { AuditEntry } from '../../driver/steering.js';
import { type Command, valued } from '../command.js';
import { type Column, iso, table } from '../text.js';

const columns: readonly Column<AuditEntry>[] = [
  { name: 'at', of: ({ at }) => iso(at) },
  { name: 'by', of: ({ by }) => by },
  { name: 'action', of: ({ action }) => action },
  { name: 'topic', of: ({ topic }) => topic },
  { name: 'group', of: ({ group }) => group },
  { name: 'lock', of: ({ lock }) => lock },
  { name: 'messages', of: ({ messages }) => messages },
];

/** `disco-bus audit` */
export const audit: Command = {
  summary: 'Lists what operators did, the newest first.',
  details:
    'The last 1,000 deeds are kept, for 30 days after the last. Of a lock, messages says how many held it.',
  examples: ['audit --limit 20'],
  args: { limit: valued('entries', '1 to 1000. Default: 100') },
  run: async (run) => {
    const limit = run.given.whole('limit', 1, 1_000);
    const { bus } = await run.session();
    const entries = await bus.admin.audited(limit);
    run.show(entries, () => table(columns, entries, run.terminal.paint));
  },
};
