import type { DiscoDriver } from '../driver/driver.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { isMissingPackage } from '../errors/missing-package.js';
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
 * The driver that `url` and the parts of an `address` name together, else the environment's DISCO_BUS_URL, else Redis on
 * this machine. `usualMemory` names the memory of a `memory:` without a name. Throws ConfigurationError, which never quotes the URL, as it may hold a password.
 */
export async function driverOfUrl(
  url: string | undefined,
  address: RedisAddress = {},
  usualMemory = '',
): Promise<DiscoDriver> {
  const { host, port, db, username, password, tls } = address;
  const parts = { host, port, db, username, password, tls };
  const [part] = Object.entries(parts).find(([, value]) => value !== undefined) ?? [];
  const option = url === undefined ? 'DISCO_BUS_URL' : 'url';
  const chosen = url ?? (part === undefined ? process.env.DISCO_BUS_URL : undefined);
  if (chosen === undefined) return (await loadRedisDriver()).redisDriver(parts);
  if (chosen === '') throw new ConfigurationError(`${option} is empty`);
  const scheme = chosen.slice(0, chosen.indexOf(':') + 1);
  if (scheme === 'redis:' || scheme === 'rediss:') {
    const { redisDriver } = await loadRedisDriver();
    return redisDriver({ url: chosen, ...parts });
  }
  if (scheme !== 'memory:') {
    throw new ConfigurationError(`${option} must begin with redis://, rediss:// or memory:`);
  }
  if (part !== undefined) throw new ConfigurationError(`"${part}" has no meaning beside a url with memory:`);
  return memoryDriverOf(chosen.slice(scheme.length) || usualMemory);
}

function memoryDriverOf(name: string): DiscoDriver {
  return name === '' ? memoryDriver() : memoryDriver({ broker: memoryBroker(name) });
}

/** Redis is loaded when it is asked for, so that an embedded bus needs no ioredis. */
async function loadRedisDriver(): Promise<typeof redisDrivers> {
  try {
    return await import('./redis/index.js');
  } catch (error) {
    if (!isMissingPackage(error, ['ioredis'])) throw error;
    throw new ConfigurationError('The Redis driver needs the package "ioredis": npm install ioredis', {
      cause: error,
    });
  }
}
