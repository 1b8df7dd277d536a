import type { DiscoMessageContext } from '../middleware/message-context.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { rowsOf, type SqlClient, type SqlTransaction } from './sql-client.js';
import {
  assertTable,
  assertTableName,
  formComment,
  type TableForm,
  type TableOptions,
} from './table-schema.js';

const FORM = 1;
/** Rows that are deleted at a time. */
const FORGOTTEN = 1_000;

/** Makes an inbox. Throws ConfigurationError for a bad name; asks nobody. */
export function inboxTable(options: TableOptions = {}): InboxTable {
  return new InboxTable(inboxForm(options));
}

/** The SQL that makes an inbox: its table and a comment that tells the form. May be run again. Throws ConfigurationError. */
export function inboxSchema(options: TableOptions = {}): string {
  return inboxForm(options).sql;
}

/**
 * A handler's effects in the database exactly once: what was handled is written in the transaction of the effects, so both
 * commit or neither does. Made by {@link inboxTable}.
 */
export class InboxTable {
  /** @internal */
  constructor(private readonly form: TableForm) {}

  /** Rejects with ConfigurationError, which says the SQL to run, where the table is missing or has another form. */
  check(client: SqlClient): Promise<void> {
    return assertTable(client, this.form);
  }

  /**
   * Runs `work` unless a transaction that ran it for this message, by group, topic and id, has committed; then resolves with
   * what `work` resolved with that time, as JSON gives it back. Waits for another transaction that runs it now. What `work`
   * rejects with is passed on: roll back. Only effects through `tx` are covered.
   */
  async once<Result>(
    context: Pick<DiscoMessageContext, 'group' | 'topic' | 'id'>,
    tx: SqlTransaction,
    work: () => Result | Promise<Result>,
  ): Promise<Result> {
    const { table } = this.form;
    const key = [`${context.group} ${context.topic}`, context.id];
    const written = await tx.query(
      `INSERT INTO ${table} (handler, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING message_id`,
      key,
    );
    if (rowsOf(written).length === 0) return this.resultOf(tx, key);
    const result = await work();
    const json = JSON.stringify(result) as string | undefined;
    if (json !== undefined) {
      await tx.query(`UPDATE ${table} SET result = $3 WHERE handler = $1 AND message_id = $2`, [
        ...key,
        json,
      ]);
    }
    return result;
  }

  /**
   * Forgets what was handled longer ago than `after`, which must be longer than a message can come back; resolves with how
   * many there were. For a cron.
   */
  async forget(client: SqlClient, after: Duration): Promise<number> {
    const { table } = this.form;
    const ms = toMilliseconds(after, 'after');
    let forgotten = 0;
    for (;;) {
      const { rows } = await client.query(
        `DELETE FROM ${table} WHERE ctid IN (SELECT ctid FROM ${table}
           WHERE handled_at < clock_timestamp() - $1 * interval '1 millisecond' LIMIT $2) RETURNING 1`,
        [ms, FORGOTTEN],
      );
      forgotten += rows.length;
      if (rows.length < FORGOTTEN) return forgotten;
    }
  }

  private async resultOf<Result>(tx: SqlTransaction, key: string[]): Promise<Result> {
    const [row] = rowsOf(
      await tx.query(`SELECT result FROM ${this.form.table} WHERE handler = $1 AND message_id = $2`, key),
    );
    return (typeof row?.result === 'string' ? JSON.parse(row.result) : undefined) as Result;
  }
}

function inboxForm({ table: given = 'disco_inbox' }: TableOptions): TableForm {
  const table = assertTableName(given);
  const kind = 'inbox';
  const [bare] = table.split('.').reverse();
  const sql = `CREATE TABLE IF NOT EXISTS ${table} (
  handler text NOT NULL,
  message_id text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  result text,
  PRIMARY KEY (handler, message_id)
);
CREATE INDEX IF NOT EXISTS ${bare}_handled ON ${table} (handled_at);
COMMENT ON TABLE ${table} IS '${formComment({ kind, form: FORM })}';
`;
  return { kind, table, form: FORM, sql };
}
