import type { DiscoBus } from '../bus/disco-bus.js';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import {
  aBoolean,
  aDuration,
  aFunction,
  aNumber,
  aString,
  checkedElsewhere,
  having,
  type OptionKinds,
  options,
  orFalse,
} from '../errors/option-kinds.js';
import type { LockManager } from '../lock/lock-manager.js';
import { type Backoff, type BackoffOptions, backoffKinds, resolveBackoff } from '../timing/backoff.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { outboxForm } from './outbox-schema.js';
import type { SqlClient, SqlListener } from './sql-client.js';
import type { TableForm, TableOptions } from './table-schema.js';

/** What an outbox publishes through. A `DiscoBusService` is one. */
export interface OutboxBus {
  readonly bus: DiscoBus;
  readonly locks: LockManager;
}

/** How the relay works. */
export interface RelayOptions {
  /** Rows that are read and sent at a time, 1 to 10,000. @default 500 */
  batch?: number;
  /** How often it looks without having been woken: what a lost notification costs at most. @default '5s' */
  sweep?: Duration;
  /** How long a topic that cannot be published waits for the next attempt. @default exponential from '200ms' to '30s' */
  backoff?: BackoffOptions;
  /** How long rows are kept once they are sent; at most 5,000 are deleted per `sweep`. @default '1d' */
  keepSent?: Duration;
  /** The ttl of the lock by which there is one relay: how long after a crash another process takes over. @default '15s' */
  lockTtl?: Duration;
  /** The key of that lock; every outbox needs its own. @default 'outbox:' and the name of the table */
  lockKey?: string;
}

/** An outbox. */
export interface DiscoOutboxOptions extends TableOptions {
  /** The pool of the database: a `Pool` of `pg`, or anything with its `query`. */
  pool: SqlClient;
  /**
   * Gives a connection of its own for LISTEN, which the relay keeps; false where there can be none, as behind a pooler in
   * transaction mode: then every `sweep` finds what waits. @default `pool.connect()` where the pool has it, otherwise false
   */
  listen?: false | (() => SqlListener | Promise<SqlListener>);
  /** Whether rows notify the relay, which serialises the commits of their transactions for a moment. @default true */
  notify?: boolean;
  /** How the relay of this process works; false for a process that only writes. @default the options' own defaults */
  relay?: false | RelayOptions;
  /** The name of the bus in a Nest application. @default the default bus */
  bus?: string;
}

const relayKinds: OptionKinds<RelayOptions> = {
  batch: aNumber,
  sweep: aDuration,
  backoff: options(backoffKinds),
  keepSent: aDuration,
  lockTtl: aDuration,
  lockKey: aString,
};

/** What each of {@link DiscoOutboxOptions} may be. */
export const outboxKinds: OptionKinds<DiscoOutboxOptions> = {
  pool: having('a pool with `query(text, values)`', 'query'),
  table: aString,
  listen: orFalse(aFunction),
  notify: aBoolean,
  relay: orFalse(options(relayKinds)),
  bus: checkedElsewhere,
};

/** {@link RelayOptions}, checked and complete. */
export interface ResolvedRelay {
  readonly batch: number;
  readonly sweepMs: number;
  readonly backoff: Backoff;
  readonly keepSentMs: number;
  readonly lockTtl: Duration;
  readonly lockKey: string;
}

/** {@link DiscoOutboxOptions}, checked and complete. */
export interface ResolvedOutbox {
  readonly pool: SqlClient;
  readonly form: TableForm;
  readonly listen: false | (() => SqlListener | Promise<SqlListener>);
  /** Where rows notify; undefined where they do not. */
  readonly channel: string | undefined;
  readonly relay: false | ResolvedRelay;
}

/** Checks and completes `given`; throws ConfigurationError. */
export function resolveOutbox(given: DiscoOutboxOptions): ResolvedOutbox {
  assertOptions('an outbox', given, outboxKinds, { path: '' });
  if (given?.pool === undefined) throw new ConfigurationError('An outbox needs its database: give it a pool');
  const { pool, table, listen = listenOn(pool), notify = true, relay = {} } = given;
  const form = outboxForm({ table });
  return {
    pool,
    form,
    listen: notify ? listen : false,
    channel: notify ? form.table : undefined,
    relay: relay !== false && resolveRelay(relay, form.table),
  };
}

function resolveRelay(given: RelayOptions, table: string): ResolvedRelay {
  const { batch = 500, sweep = '5s', backoff, keepSent = '1d', lockTtl = '15s' } = given;
  if (!Number.isInteger(batch) || batch < 1 || batch > 10_000) {
    throw new ConfigurationError('relay.batch must be a whole number from 1 to 10000');
  }
  toMilliseconds(lockTtl, 'relay.lockTtl', { minMs: 1_000 });
  return {
    batch,
    sweepMs: toMilliseconds(sweep, 'relay.sweep', { minMs: 10 }),
    backoff: resolveBackoff(backoff, 'relay.backoff'),
    keepSentMs: toMilliseconds(keepSent, 'relay.keepSent'),
    lockTtl,
    lockKey: given.lockKey ?? `outbox:${table}`,
  };
}

function listenOn(pool: SqlClient): ResolvedOutbox['listen'] {
  const { connect } = pool as { connect?: () => Promise<SqlListener> };
  return typeof connect === 'function' && (() => connect.call(pool));
}
