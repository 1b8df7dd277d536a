import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aBoolean, aDuration, aNumber, having, type OptionKinds } from '../errors/option-kinds.js';
import type { IdempotencyStore } from '../message/idempotency-store.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { handledOnce } from './handled-once.js';
import { isThenable, type Middleware } from './middleware.js';

/** What {@link deduplicate} remembers. */
export interface DeduplicateOptions {
  /** How many ids of handled messages are remembered; the oldest are forgotten first. Excludes `store`. @default 10000 */
  size?: number;
  /** Remembers for all processes that share it, by group, topic and id. @default this process's memory */
  store?: IdempotencyStore;
  /** With `store`: how long a handler has a message for itself: longer than it may run. @default '1m' */
  lease?: Duration;
  /** With `store`: how long a handled message is remembered. @default '1d' */
  keep?: Duration;
  /** With `store`: whether the result is kept, as JSON, so that a request that comes twice gets the same reply. @default false */
  results?: boolean;
}

const deduplicateKinds: OptionKinds<DeduplicateOptions> = {
  size: aNumber,
  store: having('an IdempotencyStore', 'claim', 'complete', 'abandon'),
  lease: aDuration,
  keep: aDuration,
  results: aBoolean,
};

/**
 * Skips a message whose id was handled already: a redelivery after a lost acknowledgement, a row of an outbox sent twice, or
 * a message that two overlapping patterns matched. A failed attempt is not remembered.
 *
 * Without `store` it knows this process, and skips what is being handled now as well. With one it knows all processes that
 * share it, and what somebody else is handling comes back once the lease is over, as an attempt like any other. A handler
 * whose process dies after its work and before the store knows it runs again: a help, not a promise of exactly-once
 * handling, which `inboxTable` of `nestjs-disco-bus/outbox` makes for what is in the database.
 */
export function deduplicate(options: DeduplicateOptions = {}): Middleware {
  assertOptions('deduplicate', options, deduplicateKinds);
  const { size, store, lease, keep, results } = options;
  if (store === undefined) {
    const given = Object.entries({ lease, keep, results }).find(([, value]) => value !== undefined);
    if (given) throw new ConfigurationError(`deduplicate: ${given[0]} needs a store`);
    return inThisProcess(size);
  }
  if (size !== undefined) throw new ConfigurationError('deduplicate: size and store exclude each other');
  return handledOnce(store, {
    leaseMs: toMilliseconds(lease ?? '1m', 'deduplicate.lease', { minMs: 1 }),
    keepMs: toMilliseconds(keep ?? '1d', 'deduplicate.keep', { minMs: 1 }),
    results: results ?? false,
  });
}

function inThisProcess(size = 10_000): Middleware {
  if (!Number.isInteger(size) || size < 1)
    throw new ConfigurationError('deduplicate: size must be a whole number above 0');
  const seen = new Set<string>();
  const remember = (id: string) => {
    seen.add(id);
    if (seen.size > size) seen.delete(seen.values().next().value as string);
  };
  return (next) => (context) => {
    if (seen.has(context.id)) return undefined;
    remember(context.id);
    const forget = (error: unknown): never => {
      seen.delete(context.id);
      throw error;
    };
    try {
      const result = next(context);
      return isThenable(result) ? result.then(undefined, forget) : result;
    } catch (error) {
      return forget(error);
    }
  };
}
