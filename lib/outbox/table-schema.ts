import { ConfigurationError } from '../errors/bus.errors.js';
import type { SqlClient } from './sql-client.js';

/** Names the tables of an outbox or of an inbox. */
export interface TableOptions {
  /**
   * The table's name, with its schema before a dot where it has one: lower-case letters, digits and `_`, at most 40
   * characters each. @default 'disco_outbox', or 'disco_inbox'
   */
  table?: string;
}

const grammar = /^[a-z_][a-z0-9_]{0,39}(?:\.[a-z_][a-z0-9_]{0,39})?$/;

/** Returns the name of a table; throws ConfigurationError for what is none. */
export function assertTableName(table: unknown): string {
  if (typeof table === 'string' && grammar.test(table)) return table;
  throw new ConfigurationError(
    'table must be a name of lower-case letters, digits and "_", at most 40 characters, with a schema before a dot or without',
  );
}

/** A table of this package: what it is called, its form, and the SQL that makes it or brings it to this form. */
export interface TableForm {
  readonly kind: 'outbox' | 'inbox';
  readonly table: string;
  readonly form: number;
  readonly sql: string;
}

/** The comment by which a table tells its form. */
export function formComment({ kind, form }: Pick<TableForm, 'kind' | 'form'>): string {
  return `nestjs-disco-bus ${kind} ${form}`;
}

/** Rejects with ConfigurationError, which says the SQL to run, unless the table is there and has this form. */
export async function assertTable(client: SqlClient, { kind, table, form, sql }: TableForm): Promise<void> {
  const { rows } = await client.query(
    `SELECT to_regclass($1)::oid IS NOT NULL AS exists, obj_description(to_regclass($1), 'pg_class') AS comment`,
    [table],
  );
  const [{ exists, comment }] = rows;
  if (exists !== true)
    throw new ConfigurationError(`The table "${table}" of the ${kind} is missing. Run:\n${sql}`);
  const told = new RegExp(`^nestjs-disco-bus ${kind} (\\d+)$`).exec(String(comment))?.[1];
  if (told === undefined) {
    throw new ConfigurationError(
      `The table "${table}" is none that this package has made as its ${kind}: give the option table another name`,
    );
  }
  if (Number(told) < form) {
    throw new ConfigurationError(
      `The table "${table}" of the ${kind} has the older form ${told}; this version needs ${form}. Run:\n${sql}`,
    );
  }
  if (Number(told) > form) {
    throw new ConfigurationError(
      `The table "${table}" of the ${kind} has the form ${told} of a newer version of nestjs-disco-bus; this one knows ${form}: update it`,
    );
  }
}
