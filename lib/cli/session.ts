import { DiscoBus } from '../bus/disco-bus.js';
import type { LockStore } from '../driver/lock-store.js';
import type * as redisDrivers from '../drivers/redis/index.js';
import type { RedisDriver } from '../drivers/redis/redis.driver.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { isMissingPackage } from '../errors/missing-package.js';
import { CommandFailure, exitCodes, failureOf, usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';

/** Where a session leads. */
export interface Target {
  /** @default DISCO_BUS_URL, else Redis on this machine */
  readonly url: string | undefined;
  readonly prefix: string;
  readonly cluster: boolean;
  /** The name of a primary that a Sentinel at `url` knows. */
  readonly sentinel: string | undefined;
  readonly timeoutMs: number;
  readonly verbose: boolean;
}

/** How long closing may take: what a command did is done by then. */
const CLOSE_MS = 1_000;
const SERVICE = 'disco-bus-cli';
export const FALLBACK_URL = 'redis://127.0.0.1:6379';

/** A bus that is connected, and is a member of nothing. */
export class Session {
  private store: LockStore | undefined;

  private constructor(
    readonly bus: DiscoBus,
    readonly driver: RedisDriver,
    readonly target: Target,
  ) {}

  /** Rejects with a CommandFailure that says, without any secret, why there is no connection. */
  static async open(target: Target, terminal: Terminal): Promise<Session> {
    const { prefix, timeoutMs, verbose } = target;
    const driver = await driverOf(target);
    const log = (text: string) => {
      if (verbose) terminal.tell(text);
    };
    const bus = configured(
      () =>
        new DiscoBus({
          driver,
          prefix,
          service: SERVICE,
          shutdownTimeout: CLOSE_MS,
          connection: { wait: true, timeout: timeoutMs, critical: true },
          publishTimeout: timeoutMs,
          logger: { log, warn: log, error: log },
        }),
    );
    try {
      await bus.start();
    } catch (error) {
      await bus.stop();
      if (isDiscoBusError(error, 'DISCO_CONFIGURATION') && /Redis Cluster/.test(error.message))
        throw usageError('The server is a node of a Redis Cluster: say --cluster');
      throw unreachable(driver, error);
    }
    return new Session(bus, driver, target);
  }

  /**
   * A connected store of the locks whose keys have this prefix, '' for bare keys; to be asked for once. It closes with the
   * session, and writes nothing down of this process. Rejects as `open` does.
   */
  async locks(prefix: string): Promise<LockStore> {
    const driver = await driverOf({ ...this.target, prefix });
    this.store = driver.lockStore({ service: SERVICE });
    try {
      await this.store.connect();
    } catch (error) {
      throw unreachable(driver, error);
    }
    return this.store;
  }

  async close(): Promise<void> {
    await Promise.all([this.store?.close(), this.bus.stop()]);
  }
}

/** Says where the connection would have led. */
function unreachable(driver: RedisDriver, error: unknown): CommandFailure {
  const { exitCode, message } = failureOf(error);
  return new CommandFailure(exitCode, `${(driver.toJSON() as { target: string }).target}: ${message}`);
}

async function driverOf({ url, prefix, cluster, sentinel, timeoutMs }: Target): Promise<RedisDriver> {
  const { redisDriver } = await loadRedis();
  const given = url ?? process.env.DISCO_BUS_URL ?? FALLBACK_URL;
  if (given.startsWith('memory:'))
    throw usageError('memory: is within one process, and nobody else can look into it: give a redis:// url');
  const common = { prefix, connectTimeout: timeoutMs, commandTimeout: timeoutMs };
  return configured(() => {
    if (!cluster && sentinel === undefined) return redisDriver({ url: given, ...common });
    if (cluster && sentinel !== undefined) throw usageError('Give only one of --cluster and --sentinel');
    const { nodes, ...login } = nodesOf(given);
    if (sentinel === undefined) return redisDriver({ cluster: { nodes }, ...login, ...common });
    return redisDriver({ sentinel: { sentinels: nodes, name: sentinel }, ...login, ...common });
  });
}

/** Where some node of several is, and who logs in at all of them. The errors do not quote the URL, as it may hold a password. */
function nodesOf(url: string) {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw usageError('The url is not a redis:// or rediss:// URL');
  }
  const { hostname, port, username, password, protocol } = parsed;
  const host = hostname.replace(/^\[|\]$/g, '');
  return {
    nodes: [{ host, port: Number(port || 6379) }],
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: true }),
  };
}

function configured<Made>(make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    throw isDiscoBusError(error, 'DISCO_CONFIGURATION') ? usageError(error.message) : error;
  }
}

async function loadRedis(): Promise<typeof redisDrivers> {
  try {
    return await import('../drivers/redis/index.js');
  } catch (error) {
    if (!isMissingPackage(error, ['ioredis'])) throw error;
    throw new CommandFailure(exitCodes.failed, 'The package "ioredis" is needed: npm install ioredis');
  }
}
