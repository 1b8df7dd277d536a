import type { SqlClient, SqlRow } from './sql-client.js';

/** How a row's message is published, as JSON. */
export interface RowOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly delivery?: 'at-most-once' | 'at-least-once';
  /** Milliseconds since the epoch. */
  readonly at?: number;
  /** Milliseconds. */
  readonly ttl?: number;
}

/** A message to be written. */
export interface NewRow {
  readonly messageId: string;
  readonly topic: string;
  readonly key: string | undefined;
  /** JSON. */
  readonly payload: string;
  readonly options: RowOptions;
  /** Of its definition. */
  readonly version: number;
}

/** A message that waits. */
export interface WaitingRow extends NewRow {
  /** A bigint in digits. */
  readonly id: string;
}

/** What waits in an outbox, and what was given up. */
export interface OutboxFigures {
  /** Rows that are committed and not sent yet. */
  readonly waiting: number;
  /** How long the oldest of them has waited, milliseconds; 0 where none waits. */
  readonly oldestMs: number;
  /** Rows that can never be published, with their `error` in the table. */
  readonly setAside: number;
}

/** Why a row was set aside. */
export interface RowFailure {
  readonly id: string;
  readonly code: string;
  readonly error: string;
}

const waits = 'sent_at IS NULL AND failed_at IS NULL';

/** Inserts a row and notifies, in one statement. */
export function insertion(table: string, channel: string | undefined, row: NewRow): [string, unknown[]] {
  const { messageId, topic, key, payload, options, version } = row;
  const values = [messageId, topic, key ?? null, payload, JSON.stringify(options), version];
  const insert = `INSERT INTO ${table} (message_id, topic, key, payload, options, version) VALUES ($1, $2, $3, $4, $5, $6)`;
  if (channel === undefined) return [insert, values];
  return [
    `WITH written AS (${insert} RETURNING id) SELECT pg_notify($7, '') FROM written`,
    [...values, channel],
  ];
}

/** The statements of a relay. Every one that writes is refused once a larger fencing token was seen. */
export class OutboxRows {
  constructor(
    private readonly client: SqlClient,
    private readonly table: string,
  ) {}

  /** Makes `fence` the token of the relay: whether no larger one was there. */
  async claim(fence: bigint): Promise<boolean> {
    const { rows } = await this.client.query(`${this.fencing('$1')} SELECT id FROM fencing`, [String(fence)]);
    return rows.length > 0;
  }

  /** The first `limit` rows that wait, in the order of their ids, whenever their transactions committed. */
  async waiting(limit: number, without: readonly string[]): Promise<WaitingRow[]> {
    const { rows } = await this.client.query(
      `SELECT id::text AS row_id, message_id, topic, key, payload, options, version FROM ${this.table}
       WHERE ${waits} AND topic <> ALL($1::text[]) ORDER BY id LIMIT $2`,
      [[...without], limit],
    );
    return rows.map(toRow);
  }

  /** Marks rows as sent: false, and none is marked, where the relay is stale. */
  async markSent(fence: bigint, ids: readonly string[]): Promise<boolean> {
    const { rows } = await this.client.query(
      `${this.fencing('$1')}, marked AS (
         UPDATE ${this.table} SET sent_at = clock_timestamp()
         WHERE id = ANY($2::bigint[]) AND EXISTS (SELECT 1 FROM fencing))
       SELECT id FROM fencing`,
      [String(fence), [...ids]],
    );
    return rows.length > 0;
  }

  /** Sets a row aside: false where the relay is stale. */
  async setAside(fence: bigint, { id, code, error }: RowFailure): Promise<boolean> {
    const { rows } = await this.client.query(
      `${this.fencing('$1')}, marked AS (
         UPDATE ${this.table} SET failed_at = clock_timestamp(), error_code = $3, error = $4
         WHERE id = $2 AND EXISTS (SELECT 1 FROM fencing))
       SELECT id FROM fencing`,
      [String(fence), id, code, error],
    );
    return rows.length > 0;
  }

  /** Deletes at most `limit` rows that were sent longer ago than `afterMs`. */
  async forget(afterMs: number, limit: number): Promise<void> {
    await this.client.query(
      `DELETE FROM ${this.table} WHERE id IN (
         SELECT id FROM ${this.table} WHERE sent_at < clock_timestamp() - $1 * interval '1 millisecond'
         ORDER BY sent_at LIMIT $2)`,
      [afterMs, limit],
    );
  }

  async figures(): Promise<OutboxFigures> {
    const { rows } = await this.client.query(
      `SELECT count(*)::int AS waiting,
         coalesce(extract(epoch FROM clock_timestamp() - min(created_at)) * 1000, 0)::float8 AS oldest,
         (SELECT count(*)::int FROM ${this.table} WHERE failed_at IS NOT NULL) AS aside
       FROM ${this.table} WHERE ${waits}`,
    );
    const [{ waiting, oldest, aside }] = rows;
    return {
      waiting: Number(waiting),
      oldestMs: Math.max(0, Math.round(Number(oldest))),
      setAside: Number(aside),
    };
  }

  /** The row of the relay is locked by it, so that two relays follow each other. */
  private fencing(fence: string): string {
    return `WITH fencing AS (UPDATE ${this.table}_relay SET fence = ${fence} WHERE id = 1 AND fence <= ${fence} RETURNING id)`;
  }
}

function toRow(row: SqlRow): WaitingRow {
  const { row_id, message_id, topic, key, payload, options, version } = row;
  return {
    id: String(row_id),
    messageId: String(message_id),
    topic: String(topic),
    key: key === null ? undefined : String(key),
    payload: String(payload),
    options: (typeof options === 'string' ? JSON.parse(options) : options) as RowOptions,
    version: Number(version),
  };
}
