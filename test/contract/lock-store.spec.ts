import { Redis } from 'ioredis';
import { MemoryLockStore } from '../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../lib/drivers/memory/locks/memory-lock-table.js';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { describeLockStore } from '../../lib/testing/lock-store-contract.js';
import { RedisServer } from '../support/redis-server.js';

const table = new MemoryLockTable();
describeLockStore('memory', {
  createStore: () => new MemoryLockStore({ table }),
  openHandles: () => process.getActiveResourcesInfo().length,
  traces: () => table.size,
  inspection: true,
  forcedRelease: true,
});

describe('over a server of its own', () => {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  describeLockStore('redis', {
    createStore: () => new RedisLockStore({ url: server.url }),
    forget: async () => void (await admin.flushall()),
    openHandles: async () => Number(/connected_clients:(\d+)/.exec(await admin.info('clients'))?.[1]),
    traces: async () => (await admin.keys('*')).filter((key) => !key.startsWith('disco:fence:')).length,
    inspection: true,
    forcedRelease: true,
  });
});
