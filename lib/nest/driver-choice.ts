import type { DiscoDriver } from '../driver/driver.js';
import { memoryBroker } from '../drivers/memory/memory-broker.js';
import { memoryDriver } from '../drivers/memory/memory-driver.js';
import type * as redisDrivers from '../drivers/redis/index.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import type { DiscoBusFactoryOptions } from './module-options.js';
import { isMissingPackage } from './optional-package.js';

const DEFAULT_URL = 'redis://127.0.0.1:6379';

/** The driver that the options name. Throws ConfigurationError, which never quotes the URL, as it may hold a password. */
export async function chooseDriver({ driver, url }: DiscoBusFactoryOptions): Promise<DiscoDriver> {
  if (driver !== undefined) return driver;
  const chosen = url ?? process.env.DISCO_BUS_URL;
  const option = url === undefined ? 'DISCO_BUS_URL' : 'url';
  return driverOf(chosen || DEFAULT_URL, option);
}

async function driverOf(url: string, option: string): Promise<DiscoDriver> {
  const scheme = url.slice(0, url.indexOf(':') + 1);
  if (scheme === 'memory:') return memoryDriverOf(url.slice(scheme.length));
  if (scheme === 'redis:' || scheme === 'rediss:') {
    const { redisDriver } = await loadRedisDriver();
    return redisDriver({ url });
  }
  throw new ConfigurationError(`${option} must begin with redis://, rediss:// or memory:`);
}

function memoryDriverOf(name: string): DiscoDriver {
  return name === '' ? memoryDriver() : memoryDriver({ broker: memoryBroker(name) });
}

/** Redis is loaded when it is asked for, so that an embedded bus needs no ioredis. */
async function loadRedisDriver(): Promise<typeof redisDrivers> {
  try {
    return await import('../drivers/redis/index.js');
  } catch (error) {
    if (!isMissingPackage(error, ['ioredis'])) throw error;
    throw new ConfigurationError('The Redis driver needs the package "ioredis": npm install ioredis', {
      cause: error,
    });
  }
}
