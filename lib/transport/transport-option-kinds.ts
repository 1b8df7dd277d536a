import { busKinds } from '../bus/options/bus-option-kinds.js';
import type { TopicOptions } from '../contract/topic-options.js';
import { topicKinds } from '../contract/topic-options.js';
import { assertOptions, type Replacements } from '../errors/assert-options.js';
import {
  aBoolean,
  aDriver,
  aDuration,
  aNumber,
  anObject,
  aPassword,
  aString,
  either,
  having,
  type OptionKinds,
  oneOf,
  options,
} from '../errors/option-kinds.js';
import type {
  DiscoBusClientOptions,
  DiscoBusServerOptions,
  DiscoTransportOptions,
} from './transport-options.js';

const commonKinds: OptionKinds<DiscoTransportOptions> = {
  ...busKinds,
  bus: { ...anObject, told: 'a bus' },
  driver: aDriver,
  url: aString,
  host: aString,
  port: either(aNumber, aString),
  db: either(aNumber, aString),
  username: aString,
  password: aPassword,
  tls: either(aBoolean, anObject),
  events: oneOf('at-most-once', 'at-least-once'),
  requests: oneOf('one', 'every'),
  serializer: having('a serializer', 'serialize'),
  deserializer: having('a deserializer', 'deserialize'),
};

const { delivery: _, ...eventKinds } = topicKinds;

/** What each of {@link DiscoBusServerOptions} may be. */
export const serverKinds: OptionKinds<DiscoBusServerOptions> = {
  ...commonKinds,
  eventOptions: options<Omit<TopicOptions, 'delivery'>>(eventKinds),
  concurrency: aNumber,
};

const clientKinds: OptionKinds<DiscoBusClientOptions> = { ...commonKinds, timeout: aDuration };

const reconnects = 'reconnection never ends; driver: redisDriver({ reconnect }) sets the waits';
const times = 'give driver: redisDriver({ connectTimeout, commandTimeout, heartbeat })';
const restored =
  'it is not needed: subscriptions are restored, what cannot be sent fails in time, and nothing is sent twice';
const ownClient = 'give driver: redisDriver({ client }) with an ioredis client of your own';

/** By the names that Transport.REDIS and ioredis have for them. */
const replacements: Replacements = {
  retryAttempts: reconnects,
  retryDelay: reconnects,
  retryStrategy: reconnects,
  wildcards: 'patterns with wildcards always work',
  returnBuffers: 'Buffers stay bytes without it',
  connectTimeout: times,
  commandTimeout: times,
  keepAlive: times,
  socketTimeout: times,
  blockingTimeout: times,
  maxRetriesPerRequest: restored,
  enableOfflineQueue: restored,
  autoResendUnfulfilledCommands: restored,
  autoResubscribe: restored,
  reconnectOnError: restored,
  keyPrefix: 'use prefix',
  sentinels: 'give driver: redisDriver({ sentinel })',
  ...Object.fromEntries(
    [
      'family',
      'path',
      'lazyConnect',
      'readOnly',
      'connectionName',
      'clientInfoTag',
      'disableClientInfo',
      'offlineQueue',
      'noDelay',
      'enableReadyCheck',
      'maxLoadingRetryTime',
      'enableAutoPipelining',
      'autoPipeliningIgnoredCommands',
      'stringNumbers',
      'monitor',
      'commandQueue',
      'disconnectTimeout',
      'showFriendlyErrorStack',
      'scripts',
      'Connector',
      'replyMapping',
      'protocol',
      'natMap',
      'role',
      'sentinelUsername',
      'sentinelPassword',
      'sentinelRetryStrategy',
      'sentinelReconnectStrategy',
      'sentinelMaxConnections',
      'sentinelCommandTimeout',
      'enableTLSForSentinelMode',
      'sentinelTLS',
      'updateSentinels',
      'failoverDetector',
      'preferredSlaves',
    ].map((name) => [name, ownClient]),
  ),
};

/** Throws ConfigurationError for what a server cannot be told. */
export function assertServerOptions(given: DiscoBusServerOptions): void {
  assertOptions('DiscoBusServer', given, serverKinds, { replacements });
}

/** Throws ConfigurationError for what a client cannot be told. */
export function assertClientOptions(given: DiscoBusClientOptions): void {
  assertOptions('DiscoBusClient', given, clientKinds, { replacements });
}
