import { randomBytes } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import type { LockClaim } from '../../../lib/driver/lock-store.js';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { describeLockStore } from '../../../lib/testing/lock-store-contract.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { until } from '../../support/waiting.js';

describe('locks in a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  const createStore = () => new RedisLockStore({ cluster: { nodes: cluster.addresses } });

  describeLockStore('redis cluster', { createStore, inspection: true, forcedRelease: true });

  it('keeps a lock without prefix at its bare key, in the slot of its queue', async () => {
    const bare = new RedisLockStore({ cluster: { nodes: cluster.addresses } }, { prefix: '' });
    const locks = new LockManager(bare);
    await locks.connect();
    const client = new Cluster(cluster.addresses);
    try {
      expect(await client.set('report', 'lock', 'PX', 60_000, 'NX')).toBe('OK');
      const waiting = locks.acquire('report', { wait: '20s' });
      expect(await locks.tryAcquire('report')).toBeNull();
      await client.del('report');
      const lock = await waiting;
      expect(await client.set('report', 'lock', 'PX', 60_000, 'NX')).toBeNull();
      await lock.release();
      const held = await locks.acquire('{order:1}:stock');
      expect((await locks.list()).locks.map(({ key }) => key)).toEqual(['{order:1}:stock']);
      await held.release();
      for (const key of ['50%', 'a{b', '{order:1}:stock', 'ü', '{x}'])
        await (await locks.acquire(key)).release();
      for (const key of ['a}b', '{}a']) {
        await expect(locks.acquire(key)).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
      }
    } finally {
      client.disconnect();
      await locks.close();
    }
  }, 30_000);

  it('refuses keys of different slots and locks nothing', async () => {
    const locks = new LockManager(createStore());
    await locks.connect();
    try {
      await expect(locks.acquire(['a', 'b'])).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
      await expect(locks.acquire(['{x}a', '{y}b'])).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
      const both = await locks.acquire(['{x}a', '{x}b']);
      expect(await locks.tryAcquire('{x}b')).toBeNull();
      await both.release();
      expect(await locks.tryAcquire('a')).not.toBeNull();
      const one = locks.acquire('c', { minReplicas: 1 });
      await expect(one).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    } finally {
      await locks.close();
    }
  });

  it('answers whatever a new store is asked at once, while it connects to the nodes', async () => {
    const keys = Array.from({ length: 12 }, (_, index) => `first-${index}`);
    const claims = keys.map(
      (key): LockClaim => ({
        keys: [key],
        token: randomBytes(16).toString('hex'),
        mode: 'exclusive',
        permits: 0,
        ttlMs: 10_000,
      }),
    );
    const answers = async (ask: (store: RedisLockStore) => Promise<unknown>[]) => {
      const store = createStore();
      await store.connect();
      try {
        return await Promise.allSettled(ask(store));
      } finally {
        await store.close();
      }
    };
    const failed = (outcomes: PromiseSettledResult<unknown>[]) =>
      outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    const looked = await answers((store) => keys.map((key) => store.inspect(key)));
    expect(failed(looked)).toEqual([]);
    const granted = await answers((store) => claims.map((claim) => store.acquire(claim)));
    expect(failed(granted)).toEqual([]);
    expect(granted).toEqual(
      granted.map(() => ({ status: 'fulfilled', value: expect.objectContaining({ granted: true }) })),
    );
    const released = await answers((store) => claims.map((claim) => store.release(claim)));
    expect(released).toEqual(released.map(() => ({ status: 'fulfilled', value: true })));
  });

  it('fails at once what goes to a node that is gone, and sends it no later', async () => {
    const store = createStore();
    await store.connect();
    const [primary] = await cluster.primaries();
    try {
      await primary.kill();
      const startedMs = performance.now();
      const keys = Array.from({ length: 12 }, (_, index) => `gone-${index}`);
      const outcomes = await Promise.allSettled(keys.map((key) => store.inspect(key)));
      const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      expect(reasons.length).toBeGreaterThan(0);
      expect(new Set(reasons.map(({ code }) => code))).toEqual(new Set(['DISCO_LOCK_UNAVAILABLE']));
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    } finally {
      await store.close();
      await primary.boot();
      await cluster.whole();
    }
  }, 60_000);

  it('connects as soon as a cluster that had failed is whole again', async () => {
    const admins = cluster.nodes.map(({ port }) => new Redis({ port }));
    const says = async (admin: Redis, text: string) => String(await admin.cluster('INFO')).includes(text);
    const looks = async () => {
      const stats = await Promise.all(admins.map((admin) => admin.info('commandstats')));
      return stats.reduce((sum, text) => sum + Number(/cluster\|info:calls=(\d+)/.exec(text)?.[1] ?? 0), 0);
    };
    const [{ port }] = await cluster.primaries();
    const primary = admins[cluster.nodes.findIndex((node) => node.port === port)];
    const [[slot]] = (await primary.cluster('SLOTS')).filter(([, , [, owner]]) => owner === port);
    const store = createStore();
    try {
      // Without an owner of every slot the cluster takes no commands.
      for (const admin of [primary, ...admins])
        await until('it has failed', async () => {
          await admin.cluster('DELSLOTS', slot).catch(() => undefined);
          return says(admin, 'cluster_state:fail');
        });
      const before = await looks();
      const connecting = store.connect();
      await until('it has looked', async () => (await looks()) > before);
      await primary.cluster('ADDSLOTS', slot);
      await connecting;
      expect(await store.inspect('any')).toMatchObject({ key: 'any' });
    } finally {
      await store.close();
      await primary.cluster('ADDSLOTS', slot).catch(() => undefined);
      for (const admin of admins) admin.disconnect();
      await cluster.whole();
    }
  });

  it('takes locks of many slots in one turn', async () => {
    const locks = new LockManager(createStore());
    await locks.connect();
    try {
      const held = await Promise.all(
        Array.from({ length: 50 }, (_, index) => locks.acquire(`many-${index}`)),
      );
      await Promise.all(held.map((lock) => lock.release()));
    } finally {
      await locks.close();
    }
  });
});
