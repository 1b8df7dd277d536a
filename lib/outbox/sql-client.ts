/** A row of a result. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** What runs SQL for PostgreSQL, with `$1` for the first value: a pool or a client of `pg` does as it is. */
export interface SqlClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly SqlRow[] }>;
}

/**
 * The transaction that a row joins: a client of `pg` after `BEGIN`, the `EntityManager` or `QueryRunner` of TypeORM, or
 * anything else whose `query(text, values)` resolves with the rows, or with an object that has them.
 */
export interface SqlTransaction {
  query(text: string, values?: unknown[]): Promise<unknown>;
}

/** A connection of its own that hears notifications: a client of `pg`, as `pool.connect()` gives it. */
export interface SqlListener extends SqlClient {
  /** A notification comes with an object that has its `payload`. */
  on(event: 'notification' | 'error' | 'end', listener: (about?: unknown) => void): unknown;
  /** Gives it back to its pool, destroyed. */
  release?(destroy?: boolean): unknown;
  /** Ends it, where it came from no pool. */
  end?(): unknown;
}

/** The rows of what a {@link SqlTransaction} resolved with. */
export function rowsOf(result: unknown): readonly SqlRow[] {
  if (Array.isArray(result)) return result as SqlRow[];
  const rows = (result as { readonly rows?: unknown } | undefined)?.rows;
  return Array.isArray(rows) ? (rows as SqlRow[]) : [];
}
