import type { DiscoDriver } from '../driver/driver.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { memoryBroker } from './memory/memory-broker.js';
import { memoryDriver } from './memory/memory-driver.js';
import type * as redisDrivers from './redis/index.js';
import type { RedisAddress } from './redis/redis-address.js';

/**
 * Throws ConfigurationError for a URL that is empty, or given as undefined where nothing else says where the server is: an
 * absent setting must not lead to this machine.
 */
export function assertUrl(where: string, given: { readonly url?: unknown }, elsewhere: boolean): void {
  const { url } = given;
  if (url === '') throw new ConfigurationError(`${where}: url is empty; ${without}`);
  if (url === undefined && !elsewhere && Object.hasOwn(given, 'url')) {
    throw new ConfigurationError(`${where}: url is undefined; ${without}`);
  }
}

const without = 'without the option it is DISCO_BUS_URL of the environment, else redis://127.0.0.1:6379';

/**
 * The driver that `url` names, else the environment's DISCO_BUS_URL, else Redis on this machine. Throws
 * ConfigurationError, which never quotes the URL, as it may hold a password.
 */
export async function driverOfUrl(url: string | undefined): Promise<DiscoDriver> {
  const option = url === undefined ? 'DISCO_BUS_URL' : 'url';
  const chosen = url ?? process.env.DISCO_BUS_URL;
  if (chosen === undefined) return (await loadRedisDriver()).redisDriver();
  if (chosen === '') throw new ConfigurationError(`${option} is empty`);
  const scheme = chosen.slice(0, chosen.indexOf(':') + 1);
  if (scheme === 'memory:') return memoryDriverOf(chosen.slice(scheme.length));
  if (scheme === 'redis:' || scheme === 'rediss:') {
    const { redisDriver } = await loadRedisDriver();
    return redisDriver({ url: chosen });
  }
  throw new ConfigurationError(`${option} must begin with redis://, rediss:// or memory:`);
}

/** The driver for a Redis at `address`; undefined where nothing is said of one. Throws ConfigurationError without any secret. */
export async function driverOfAddress(address: RedisAddress): Promise<DiscoDriver | undefined> {
  const { host, port, db, username, password, tls } = address;
  const given = { host, port, db, username, password, tls };
  if (Object.values(given).every((each) => each === undefined)) return undefined;
  const { redisDriver } = await loadRedisDriver();
  return redisDriver(given);
}

function memoryDriverOf(name: string): DiscoDriver {
  return name === '' ? memoryDriver() : memoryDriver({ broker: memoryBroker(name) });
}

/** Redis is loaded when it is asked for, so that an embedded bus needs no ioredis. */
async function loadRedisDriver(): Promise<typeof redisDrivers> {
  try {
    return await import('./redis/index.js');
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new ConfigurationError('The Redis driver needs the package "ioredis": npm install ioredis', {
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && /['"]ioredis['"]/.test(message ?? '')
  );
}
