import { inspect } from 'node:util';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  aDuration,
  aNumber,
  aString,
  either,
  type OptionKinds,
  oneOf,
  options as within,
} from '../../errors/option-kinds.js';
import { type Backoff, type BackoffOptions, backoffKinds, resolveBackoff } from '../../timing/backoff.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import {
  describeEndpoint,
  endpointKinds,
  isFallback,
  type RedisEndpoint,
  type RedisEndpointOptions,
  resolveEndpoint,
} from './redis-endpoint.js';
import {
  type RedisAbandonedOptions,
  type RedisStreamOptions,
  type RedisUnreadOptions,
  type ResolvedStreamOptions,
  resolveStreamOptions,
  type StreamDurability,
} from './streams/stream-options.js';

/** How much may wait while there is no connection, the first one included. What comes on top is rejected with BackpressureError. */
export interface RedisBufferLimit {
  /** Frames. @default 1000 */
  messages?: number;
  /** Their bytes together. @default 8 MiB */
  bytes?: number;
}

/** The options of `redisDriver`. */
export interface RedisDriverOptions extends RedisEndpointOptions {
  /** Where to listen instead: a replica, say. Publishing, locks and streams stay with the main endpoint. @default the main endpoint */
  reader?: RedisEndpointOptions;
  /** Connections that listen; topics are spread over them. @default 1 */
  workers?: number;
  /** Stands before every key and channel. @default the bus's prefix, else 'disco' */
  prefix?: string;
  /** How long `connect` may take before it rejects. @default '10s' */
  connectTimeout?: Duration;
  /** How long any single command may take. @default '5s' */
  commandTimeout?: Duration;
  /** How often an idle connection is asked for a sign of life; one that misses it is replaced. @default '2s' */
  heartbeat?: Duration;
  /** The waits between attempts to reconnect, which never end. @default { delay: '50ms', max: '2s' } */
  reconnect?: BackoffOptions;
  /** What may wait while Redis is away. @default 1000 messages, 8 MiB */
  bufferLimit?: RedisBufferLimit;
  /** How messages are kept and handed out at least once. @default see RedisStreamOptions */
  streams?: RedisStreamOptions;
}

const bufferKinds: OptionKinds<RedisBufferLimit> = { messages: aNumber, bytes: aNumber };

const abandonedKinds: OptionKinds<RedisAbandonedOptions> = {
  warnAfter: aDuration,
  removeAfter: aDuration,
};
const unreadKinds: OptionKinds<RedisUnreadOptions> = {
  maxLength: aNumber,
  maxBytes: aNumber,
  maxAge: aDuration,
};

const durabilityKinds: OptionKinds<Exclude<StreamDurability, string>> = {
  replicas: aNumber,
  timeout: aDuration,
};

const streamKinds: OptionKinds<RedisStreamOptions> = {
  claimAfter: aDuration,
  block: aDuration,
  deduplicationWindow: aDuration,
  maxLength: aNumber,
  retention: oneOf('reject', 'drop-oldest'),
  unread: within(unreadKinds),
  abandoned: within(abandonedKinds),
  durability: either(within(durabilityKinds), oneOf('primary')),
  topicDiscovery: aDuration,
  maxCrashes: aNumber,
  maxDeadLetters: aNumber,
};

const driverKinds: OptionKinds<RedisDriverOptions> = {
  ...endpointKinds,
  reader: within(endpointKinds),
  workers: aNumber,
  prefix: aString,
  connectTimeout: aDuration,
  commandTimeout: aDuration,
  heartbeat: aDuration,
  reconnect: within(backoffKinds),
  bufferLimit: within(bufferKinds),
  streams: within(streamKinds),
};

const prefixGrammar = /^[A-Za-z0-9._:-]{0,64}$/;

/** {@link RedisDriverOptions}, checked and complete. Printing or serialising it shows no credential. */
export class ResolvedRedisOptions {
  /** The main endpoint. Holds credentials: never print it. */
  declare readonly endpoint: RedisEndpoint;
  /** Where subscribers connect. Holds credentials: never print it. */
  declare readonly reader: RedisEndpoint;
  readonly workers: number;
  /** As given; undefined leaves it to the bus. */
  readonly prefix: string | undefined;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly reconnect: Backoff;
  readonly bufferLimit: Required<Readonly<RedisBufferLimit>>;
  readonly streams: ResolvedStreamOptions;
  /** Nothing says where Redis is. */
  readonly isFallback: boolean;

  /** Throws {@link ConfigurationError}, without any secret, for what cannot be. */
  constructor(options: RedisDriverOptions = {}) {
    assertOptions('redisDriver', options, driverKinds);
    const endpoint = resolveEndpoint(options);
    const reader = options.reader ? resolveEndpoint(options.reader, 'redisDriver.reader') : endpoint;
    // Not enumerable, so that neither spreading nor printing carries the credentials along.
    Object.defineProperty(this, 'endpoint', { value: endpoint });
    Object.defineProperty(this, 'reader', { value: reader });
    const { connectTimeout = '10s', commandTimeout = '5s', heartbeat = '2s', bufferLimit = {} } = options;
    const aboveZero = { minMs: 1 };
    this.workers = count(options.workers ?? 1, 'workers');
    this.prefix = options.prefix === undefined ? undefined : assertPrefix(options.prefix);
    this.connectTimeoutMs = toMilliseconds(connectTimeout, 'redisDriver.connectTimeout', aboveZero);
    this.commandTimeoutMs = toMilliseconds(commandTimeout, 'redisDriver.commandTimeout', aboveZero);
    this.heartbeatMs = toMilliseconds(heartbeat, 'redisDriver.heartbeat', { minMs: 50 });
    const usual = { delay: '50ms', max: '2s' } as const;
    this.reconnect = resolveBackoff(options.reconnect, 'redisDriver.reconnect', usual);
    this.bufferLimit = {
      messages: count(bufferLimit.messages ?? 1000, 'bufferLimit.messages'),
      bytes: count(bufferLimit.bytes ?? 8 * 1024 * 1024, 'bufferLimit.bytes'),
    };
    this.isFallback = isFallback(options);
    this.streams = resolveStreamOptions(options.streams);
  }

  /** Where this leads, without credentials. */
  get target(): string {
    return describeEndpoint(this.endpoint);
  }

  toJSON(): object {
    return { ...this, target: this.target };
  }

  [inspect.custom](): object {
    return this.toJSON();
  }
}

/** Returns `prefix` if it can stand before channels and keys; throws {@link ConfigurationError}. */
export function assertPrefix(prefix: unknown): string {
  if (typeof prefix !== 'string' || !prefixGrammar.test(prefix)) {
    throw new ConfigurationError('prefix must be at most 64 letters, digits, ".", "_", ":" or "-"');
  }
  return prefix;
}

function count(value: unknown, option: string): number {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw new ConfigurationError(`redisDriver.${option} must be a whole number above 0`);
  }
  return value as number;
}
