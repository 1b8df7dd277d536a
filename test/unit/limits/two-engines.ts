import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisServer } from '../../support/redis-server.js';

const guarantees: readonly DeliveryGuarantee[] = ['at-most-once', 'at-least-once'];

/** Both engines with both guarantees. */
export const cases = (['memory', 'redis'] as const).flatMap((engine) =>
  guarantees.map((delivery) => [engine, delivery] as const),
);

/** A Redis of the file's own; returns what makes a driver of either engine that shares nothing with those before. */
export function useEngines(): (engine: 'memory' | 'redis') => DiscoDriver {
  let server: RedisServer;
  let made = 0;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  return (engine) =>
    engine === 'memory' ? memoryDriver() : redisDriver({ url: server.url, prefix: `test${++made}` });
}
