import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { DriverError } from '../../errors/driver.errors.js';
import { backoffDelay } from '../../timing/backoff.js';
import { DeadlineQueue } from '../../timing/deadline-queue.js';
import type { RedisEndpoint } from './redis-endpoint.js';
import { toDriverError } from './redis-error.js';
import type { ResolvedRedisOptions } from './redis-options.js';
import { askPassword, renewPassword } from './redis-password.js';

/** What a connection is for. No two roles share one. */
export type RedisRole = 'publish' | 'subscribe' | 'read' | 'admin' | 'locks';

/** Where a connection of `role` leads. Holds credentials: never print it. */
export function endpointOf(role: RedisRole, { endpoint, reader }: ResolvedRedisOptions): RedisEndpoint {
  return role === 'subscribe' ? reader : endpoint;
}

/** What a caller of {@link createRedisClient} may settle himself. */
export interface RedisClientSettings {
  /** Stands in the connection's name. @default 'disco' */
  service?: string;
  /** `false`: the client ends with its first connection, for callers who replace it themselves. @default true */
  reconnect?: boolean;
  /** How many connections have failed in a row; a silent Sentinel then comes to its turn last. @default 0 */
  failures?: number;
  /** Further ioredis options of the connection (of each node's, in a Cluster). */
  options?: RedisOptions;
}

/**
 * A new client for `role`, not yet connected, with an `error` listener attached. It queues nothing while it is offline,
 * never sends a command twice, and reconnects for ever with jitter unless told otherwise. The caller owns it and ends it
 * with {@link discardClient}. Every command needs a deadline of its own: see {@link RedisCommands}.
 */
export function createRedisClient(
  options: ResolvedRedisOptions,
  role: RedisRole,
  settings: RedisClientSettings = {},
): Redis | Cluster {
  const client = build(
    endpointOf(role, options),
    options,
    connectionOptions(options, role, settings),
    settings,
  );
  client.on('error', ignore);
  return client;
}

/**
 * A client of one server for one connection: asks for the password first where that is a function. Rejects as
 * {@link askPassword} does, with whatever the client throws for its options.
 */
export async function createSingleClient(
  options: ResolvedRedisOptions,
  role: RedisRole,
  settings: RedisClientSettings = {},
): Promise<Redis> {
  const further = { ...settings.options, ...(await askedPassword(endpointOf(role, options), options)) };
  return createRedisClient(options, role, { ...settings, reconnect: false, options: further }) as Redis;
}

/** The password of the next connection to `endpoint` as an ioredis option, where it is asked for; else nothing. */
export async function askedPassword(
  endpoint: RedisEndpoint,
  { connectTimeoutMs }: ResolvedRedisOptions,
): Promise<{ password?: string }> {
  const source = 'password' in endpoint ? endpoint.password : undefined;
  return source ? { password: await askPassword(source, connectTimeoutMs) } : {};
}

/** Ends a client at once: what it had not sent is dropped, what it had sent stays unanswered. Never throws. */
export function discardClient(client: Redis | Cluster): void {
  if (client.status === 'end') return;
  client.disconnect();
  // `disconnect` only says goodbye and waits 2 s for a peer that may be gone.
  if (!client.isCluster) (client as Redis).stream?.destroy();
}

/** Awaits commands with a deadline and turns their errors into this package's. One timer serves all that wait. */
export class RedisCommands {
  private readonly deadlines: DeadlineQueue;

  constructor(readonly timeoutMs: number) {
    this.deadlines = new DeadlineQueue(timeoutMs);
  }

  /** The command's reply. Rejects with NotConnectedError or DriverError, after `timeoutMs` at the latest. */
  run<Reply>(command: Promise<Reply>): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      const deadline = this.deadlines.add(() =>
        reject(new DriverError(`Redis did not answer within ${this.timeoutMs} ms`)),
      );
      command.then(
        (reply) => {
          deadline.cancel();
          resolve(reply);
        },
        (error: unknown) => {
          deadline.cancel();
          reject(toDriverError(error));
        },
      );
    });
  }
}

function build(
  endpoint: RedisEndpoint,
  options: ResolvedRedisOptions,
  connection: RedisOptions,
  { reconnect = true, failures = 0 }: RedisClientSettings,
): Redis | Cluster {
  const again = reconnect ? (times: number) => backoffDelay(options.reconnect, times) : null;
  const single = {
    ...connection,
    retryStrategy: again,
    sentinelRetryStrategy: reconnect ? sentinelPause : endOnFailure,
  };
  const cluster = { ...clusterOptions, clusterRetryStrategy: again };
  switch (endpoint.kind) {
    case 'standalone':
    case 'sentinel':
      return new Redis({ ...endpoint.options, ...single, ...rotated(endpoint.options, failures) });
    case 'client':
      return endpoint.client.duplicate({ ...single, ...rotated(endpoint.client.options, failures) });
    case 'cluster': {
      const redisOptions = { ...endpoint.options.redisOptions, ...connection };
      const client = new Cluster([...endpoint.nodes], {
        slotsRefreshInterval: 5_000,
        ...endpoint.options,
        ...cluster,
        redisOptions,
      });
      if (endpoint.password) renewPassword(client, endpoint.password, options.connectTimeoutMs);
      return client;
    }
    case 'cluster-client':
      return endpoint.client.duplicate([], { ...cluster, redisOptions: connection });
  }
}

/** A command whose outcome is unknown must not be sent again by the client: hence no retry on failover. */
const clusterOptions: ClusterOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  retryDelayOnFailover: 0,
  // Whatever a client that is handed in has for its own commands.
  scaleReads: 'master',
  maxRedirections: 16,
  clusterNodeRetryStrategy: null,
  scripts: undefined,
};

function connectionOptions(
  options: ResolvedRedisOptions,
  role: RedisRole,
  { service = 'disco', options: further }: RedisClientSettings,
): RedisOptions {
  return {
    lazyConnect: true,
    // It asks INFO, which not everyone may; behind Sentinels it also tells a primary from a replica.
    enableReadyCheck: isBehindSentinels(endpointOf(role, options)),
    connectionName: `disco:${service.replace(/[^\w.-]/g, '_').slice(0, 40)}:${role}`,
    connectTimeout: options.connectTimeoutMs,
    // How long a client that was told to disconnect waits for its peer's goodbye.
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    reconnectOnError: null,
    replyMapping: 'legacy',
    disableClientInfo: true,
    sentinelCommandTimeout: sentinelTimeoutMs(options),
    ...neutral,
    ...further,
  };
}

/** What of ioredis' options changes replies, ends commands that take their time, or stands before commands of the same name. */
const neutral: RedisOptions = {
  commandTimeout: undefined,
  blockingTimeout: undefined,
  blockingTimeoutGrace: undefined,
  socketTimeout: undefined,
  stringNumbers: false,
  readOnly: false,
  monitor: false,
  scripts: undefined,
};

function isBehindSentinels(endpoint: RedisEndpoint): boolean {
  if (endpoint.kind === 'client') return Boolean(endpoint.client.options.sentinels);
  return endpoint.kind === 'sentinel';
}

/** Every new client asks its Sentinels from the first on, and one that is silent would stop it there each time. */
function rotated({ sentinels }: RedisOptions, failures: number): RedisOptions {
  if (!sentinels) return {};
  const first = failures % sentinels.length;
  return { sentinels: [...sentinels.slice(first), ...sentinels.slice(0, first)] };
}

const sentinelPause = (times: number) => Math.min(times * 100, 2_000);
const endOnFailure = () => null;

/** One dead Sentinel must leave time for the others within a connection attempt. */
function sentinelTimeoutMs({ connectTimeoutMs }: ResolvedRedisOptions): number {
  return Math.max(200, Math.floor(connectTimeoutMs / 5));
}

/** Without a listener ioredis prints errors, and Node ends the process; who uses the client learns of them by its commands. */
function ignore(): void {}
