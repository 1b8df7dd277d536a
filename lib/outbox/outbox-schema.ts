import { assertTableName, formComment, type TableForm, type TableOptions } from './table-schema.js';

/** The form of the table that this version writes and reads. */
const FORM = 1;

/**
 * The SQL that makes the outbox: its table, a small table beside it for the relay's fencing token, partial indexes over what
 * waits, and a comment that tells the form. May be run again, and brings an older form to this one; for a migration of
 * your own tool. Throws ConfigurationError for a bad name.
 */
export function outboxSchema(options: TableOptions = {}): string {
  return outboxForm(options).sql;
}

/** The table of an outbox and its SQL. Throws ConfigurationError for a bad name. */
export function outboxForm({ table: given = 'disco_outbox' }: TableOptions = {}): TableForm {
  const table = assertTableName(given);
  const kind = 'outbox';
  const [bare] = table.split('.').reverse();
  const added = columns.map((column) => `  ADD COLUMN IF NOT EXISTS ${column}`).join(',\n');
  const sql = `CREATE TABLE IF NOT EXISTS ${table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
ALTER TABLE ${table}
${added};
CREATE INDEX IF NOT EXISTS ${bare}_waiting ON ${table} (id) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX IF NOT EXISTS ${bare}_sent ON ${table} (sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ${bare}_failed ON ${table} (id) WHERE failed_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${table}_relay (id smallint PRIMARY KEY CHECK (id = 1), fence bigint NOT NULL);
INSERT INTO ${table}_relay (id, fence) VALUES (1, 0) ON CONFLICT DO NOTHING;
COMMENT ON TABLE ${table} IS '${formComment({ kind, form: FORM })}';
`;
  return { kind, table, form: FORM, sql };
}

const columns = [
  'message_id text NOT NULL',
  'topic text NOT NULL',
  'key text',
  'payload text NOT NULL',
  `options jsonb NOT NULL DEFAULT '{}'`,
  'version integer NOT NULL DEFAULT 1',
  'created_at timestamptz NOT NULL DEFAULT clock_timestamp()',
  'sent_at timestamptz',
  'failed_at timestamptz',
  'error_code text',
  'error text',
];
