// For applications with PostgreSQL: loads no driver of it.

export { DiscoOutbox, type OutboxPublishOptions, type OutboxReceipt } from './disco-outbox.js';
export {
  type DiscoOutboxAsyncOptions,
  DiscoOutboxModule,
  type DiscoOutboxModuleOptions,
} from './disco-outbox.module.js';
export { InboxTable, inboxSchema, inboxTable } from './inbox-table.js';
export type { DiscoOutboxOptions, OutboxBus, RelayOptions } from './outbox-options.js';
export type { OutboxFigures } from './outbox-rows.js';
export { outboxSchema } from './outbox-schema.js';
export type { SqlClient, SqlListener, SqlRow, SqlTransaction } from './sql-client.js';
export type { TableOptions } from './table-schema.js';
