import { ConfigurationError } from '../../../errors/bus.errors.js';
import { type Duration, toMilliseconds } from '../../../timing/duration.js';

/** When an entry counts as accepted: once the primary has it, or once so many replicas have it too. */
export type StreamDurability = 'primary' | { readonly replicas: number; readonly timeout?: Duration };

/**
 * How much is kept of a topic while no group reads it, so that a topic nobody reads cannot fill the server or stop its
 * publishers. Beyond it the oldest entries are dropped, told as the status `trimmed`. Its publisher is told of such a topic by
 * the status `unread`. With the first group these bounds end, and `maxLength` holds.
 */
export interface RedisUnreadOptions {
  /** The most entries; a bundle is one. @default 10_000 */
  maxLength?: number;
  /** How much memory they may take on the server, about. Bytes. @default 64 MiB */
  maxBytes?: number;
  /** How long after its publish an entry is kept. @default '1d' */
  maxAge?: Duration;
}

/** What becomes of a group that nobody reads any more, as after a service was renamed: its topic fills for it. */
export interface RedisAbandonedOptions {
  /** Without a member for so long it is told, as the status `abandoned` and an error in the log, to who publishes there. @default '1m' */
  warnAfter?: Duration;
  /** Without a member for so long it is removed, with all that is kept for it, and that is told. @default never */
  removeAfter?: Duration;
}

/** How the Redis driver keeps and hands out messages at least once. */
export interface RedisStreamOptions {
  /** A member of a group that was silent for so long is dead: its entries go to the others. Also how long what a closed subscription left unsettled stays with it. @default '30s' */
  claimAfter?: Duration;
  /** The longest that one blocking read waits in Redis; at most 5 s. @default '5s' */
  block?: Duration;
  /** How long the id of a publish with an id of its own is remembered. @default '2m' */
  deduplicationWindow?: Duration;
  /** The most entries a topic keeps that not every group has handled. A bundle is one entry. @default 1_000_000 */
  maxLength?: number;
  /** At `maxLength`: refuse what is published with StreamFullError, or drop the oldest entries, handled or not, and count them. @default 'reject' */
  retention?: 'reject' | 'drop-oldest';
  /** What is kept of a topic that no group has ever read; see {@link RedisUnreadOptions}. */
  unread?: RedisUnreadOptions;
  /** What becomes of a group that nobody reads any more; see {@link RedisAbandonedOptions}. */
  abandoned?: RedisAbandonedOptions;
  /** When a publish resolves. The replicas' `timeout` is '1s' unless given. @default 'primary' */
  durability?: StreamDurability;
  /** How often topic patterns look for topics whose announcement was lost; at most 30 s. @default '10s' */
  topicDiscovery?: Duration;
  /** An entry whose process died so often while it was being handled is dead-lettered. @default 3 */
  maxCrashes?: number;
  /** The most dead letters a group keeps of a topic. At the bound the oldest gives way to each new one, which is told and counted. @default 10_000 */
  maxDeadLetters?: number;
}

/** {@link RedisStreamOptions}, checked and complete. */
export interface ResolvedStreamOptions {
  readonly claimAfterMs: number;
  readonly blockMs: number;
  readonly deduplicationMs: number;
  readonly maxLength: number;
  readonly dropOldest: boolean;
  /** 0: the primary alone. */
  readonly replicas: number;
  readonly replicasTimeoutMs: number;
  readonly maxCrashes: number;
  readonly maxDeadLetters: number;
  readonly unread: { readonly maxLength: number; readonly maxBytes: number; readonly maxAgeMs: number };
  readonly abandoned: { readonly warnAfterMs: number; readonly removeAfterMs: number | undefined };
  readonly topicDiscoveryMs: number;
}

/** Checks and completes `options`; throws {@link ConfigurationError}. */
export function resolveStreamOptions(options: RedisStreamOptions = {}): ResolvedStreamOptions {
  const { claimAfter = '30s', block = '5s', deduplicationWindow = '2m', retention = 'reject' } = options;
  const { topicDiscovery = '10s' } = options;
  if (retention !== 'reject' && retention !== 'drop-oldest') {
    throw new ConfigurationError("redisDriver.streams.retention must be 'reject' or 'drop-oldest'");
  }
  return {
    claimAfterMs: toMilliseconds(claimAfter, 'redisDriver.streams.claimAfter', { minMs: 100 }),
    blockMs: toMilliseconds(block, 'redisDriver.streams.block', { minMs: 10, maxMs: 5_000 }),
    deduplicationMs: toMilliseconds(deduplicationWindow, 'redisDriver.streams.deduplicationWindow', {
      minMs: 1,
    }),
    maxLength: count(options.maxLength ?? 1_000_000, 'maxLength'),
    dropOldest: retention === 'drop-oldest',
    ...resolveDurability(options.durability ?? 'primary'),
    maxCrashes: count(options.maxCrashes ?? 3, 'maxCrashes'),
    maxDeadLetters: count(options.maxDeadLetters ?? 10_000, 'maxDeadLetters'),
    unread: resolveUnread(options.unread),
    abandoned: resolveAbandoned(options.abandoned),
    topicDiscoveryMs: toMilliseconds(topicDiscovery, 'redisDriver.streams.topicDiscovery', {
      minMs: 100,
      maxMs: 30_000,
    }),
  };
}

function resolveUnread({ maxLength, maxBytes, maxAge = '1d' }: RedisUnreadOptions = {}) {
  return {
    maxLength: count(maxLength ?? 10_000, 'unread.maxLength'),
    maxBytes: count(maxBytes ?? 64 * 1024 * 1024, 'unread.maxBytes'),
    maxAgeMs: toMilliseconds(maxAge, 'redisDriver.streams.unread.maxAge', { minMs: 1_000 }),
  };
}

function resolveAbandoned({ warnAfter = '1m', removeAfter }: RedisAbandonedOptions = {}) {
  const name = 'redisDriver.streams.abandoned';
  return {
    warnAfterMs: toMilliseconds(warnAfter, `${name}.warnAfter`, { minMs: 1 }),
    removeAfterMs:
      removeAfter === undefined
        ? undefined
        : toMilliseconds(removeAfter, `${name}.removeAfter`, { minMs: 1 }),
  };
}

function resolveDurability(durability: StreamDurability): { replicas: number; replicasTimeoutMs: number } {
  if (durability === 'primary') return { replicas: 0, replicasTimeoutMs: 0 };
  if (typeof durability !== 'object' || durability === null) {
    throw new ConfigurationError("redisDriver.streams.durability must be 'primary' or { replicas, timeout }");
  }
  const { replicas, timeout = '1s' } = durability;
  return {
    replicas: count(replicas, 'durability.replicas'),
    replicasTimeoutMs: toMilliseconds(timeout, 'redisDriver.streams.durability.timeout', { minMs: 1 }),
  };
}

function count(value: unknown, option: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new ConfigurationError(`redisDriver.streams.${option} must be a whole number above 0`);
  }
  return value as number;
}
