import { Redis } from 'ioredis';
import type { LockStore } from '../../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../../lib/drivers/memory/locks/memory-lock-table.js';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import { LockManager, type LockManagerOptions } from '../../../lib/lock/lock-manager.js';
import type { LockOptions } from '../../../lib/lock/lock-options.js';
import { redlockStore } from '../../../lib/lock/redlock-store.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number) => {
  for (let at = 0; at < count; at++) await turn();
};

describe('An acquisition that ends without a lock leaves none behind', () => {
  let servers: RedisServer[];
  let admins: Redis[];
  const made: LockManager[] = [];
  beforeAll(async () => {
    servers = await Promise.all([1, 2, 3].map(() => RedisServer.start()));
    admins = servers.map(({ url }) => new Redis(url));
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((locks) => locks.close()));
    await Promise.all(admins.map((admin) => admin.flushall()));
  });
  afterAll(async () => {
    for (const admin of admins) admin.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  });

  const manager = async (store: LockStore, options: LockManagerOptions = {}) => {
    const locks = new LockManager(store, options);
    made.push(locks);
    await locks.connect();
    return locks;
  };
  const onRedis = (url = servers[0].url) => new RedisLockStore({ url });
  const onThree = () => redlockStore(servers.map(({ url }) => onRedis(url)));

  /** What the servers keep of locks and waiters. */
  const traces = async (some = admins) => {
    const keys = await Promise.all(some.map((admin) => admin.keys('*')));
    return keys.flat().filter((key) => !key.startsWith('disco:fence:'));
  };

  const table = new MemoryLockTable();
  const engines: Record<string, { store(): LockStore; left(): Promise<unknown> }> = {
    memory: { store: () => new MemoryLockStore({ table }), left: async () => Array(table.size) },
    redis: { store: onRedis, left: traces },
    redlock: { store: onThree, left: traces },
  };

  it.each(Object.keys(engines))('given up or closed at any moment, on %s', async (engine) => {
    const { store, left } = engines[engine];
    const keeper = store();
    await keeper.connect();
    const holder = {
      keys: ['key'],
      token: 'f'.repeat(32),
      mode: 'exclusive',
      permits: 0,
      ttlMs: 60_000,
    } as const;
    const ended = { granted: 0, refused: 0 };
    for (let round = 0; round < 48; round++) {
      if (round % 2) expect(await keeper.acquire(holder)).toMatchObject({ granted: true });
      const [locks, quitter] = [await manager(store()), new AbortController()];
      const closes = round % 4 < 2;
      const options = closes ? {} : { signal: quitter.signal };
      const acquired = locks.acquire('key', options).catch(() => undefined);
      await turns(round / 4);
      const closed = closes ? locks.close() : undefined;
      quitter.abort();
      await keeper.release(holder);
      const [lock] = await Promise.all([acquired, closed]);
      ended[lock ? 'granted' : 'refused']++;
      // Who was given it before has it still.
      if (lock) await keeper.release(lock.claim);
      await locks.close();
      expect({ round, left: await left() }).toEqual({ round, left: [] });
    }
    expect(ended.refused).toBeGreaterThan(20);
    await keeper.close();
  });

  it('during an outage that lost the reply, once the connection is there again', async () => {
    const proxy = await FaultProxy.start(servers[0].port);
    const locks = await manager(new RedisLockStore({ url: proxy.url, commandTimeout: 300 }));
    await (await locks.acquire('other')).release();
    proxy.dropReplies();
    const outcome = locks.acquire('key', { ttl: '60s', wait: 100 });
    await expect(outcome).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    expect(await traces()).toEqual(['disco:lock:{key}']);
    expect(proxy.counts.droppedReplies).toBeGreaterThan(0);
    proxy.cut();
    proxy.pass();
    await until('the lock is given back', async () => (await traces()).length === 0);
    await locks.close();
    await proxy.stop();
  });

  it('at the first use of minReplicas', async () => {
    const locks = await manager(onRedis());
    for (let round = 0; round < 10; round++) {
      const quitter = new AbortController();
      const options: LockOptions = { minReplicas: 1, replicaTimeout: 20, signal: quitter.signal };
      const outcome = (round % 2 ? locks : await manager(onRedis())).acquire('key', options);
      const ended = expect(outcome).rejects.toMatchObject({ code: 'DISCO_ABORTED' });
      await turns(round);
      quitter.abort();
      await ended;
      await until('the lock is given back', async () => (await traces()).length === 0);
    }
  });
});
