import { Redis } from 'ioredis';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import type { RedisDriverOptions } from '../../../lib/drivers/redis/redis-options.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';

describe('locks in Redis', () => {
  const made: LockManager[] = [];
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((locks) => locks.close()));
    await admin.flushall();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const manager = async (redis: RedisDriverOptions = { url: server.url }, tuning = {}) => {
    const locks = new LockManager(new RedisLockStore(redis, {}, tuning));
    made.push(locks);
    await locks.connect();
    return locks;
  };

  it('keeps the owner token as a plain string with an expiry, beside its fencing counter', async () => {
    const locks = await manager();
    const lock = await locks.acquire('report', { ttl: '30s' });
    expect(await admin.get('disco:lock:{report}')).toBe(lock.claim.token);
    expect(lock.claim.token).toMatch(/^[0-9a-f]{32}$/);
    expect(await admin.pttl('disco:lock:{report}')).toBeGreaterThan(29_000);
    expect(await admin.get('disco:fence:{report}')).toBe(String(lock.fencingToken));
    await lock.release();
    expect(await admin.exists('disco:lock:{report}')).toBe(0);
  });

  it('is excluded by a foreign value of the same key, and never touches it', async () => {
    const locks = await manager();
    await admin.set('disco:lock:{report}', 'lock', 'PX', 300);
    expect(await locks.tryAcquire('report')).toBeNull();
    const lock = await locks.acquire('report', { wait: '5s' });
    expect(lock.isValid()).toBe(true);
  });

  it('takes many locks of one turn in few calls', async () => {
    const locks = await manager();
    await locks.tryAcquire('warm');
    await admin.config('RESETSTAT');
    const held = await Promise.all(Array.from({ length: 100 }, (_, index) => locks.acquire(`key-${index}`)));
    await Promise.all(held.map((lock) => lock.release()));
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]);
    expect(calls).toBeLessThanOrEqual(16);
  });

  it('wakes a waiter by push, long before it would look by itself', async () => {
    const tuning = { pollMs: 60_000, waiterTtlMs: 120_000 };
    const [a, b] = [await manager(undefined, tuning), await manager(undefined, tuning)];
    const waits: number[] = [];
    for (let round = 0; round < 10; round++) {
      const lock = await a.acquire('key');
      const waiting = b.acquire('key', { wait: '30s' });
      while ((await admin.exists('disco:wait:{key}')) === 0)
        await new Promise((resolve) => setImmediate(resolve));
      const start = performance.now();
      await lock.release();
      await (await waiting).release();
      waits.push(performance.now() - start);
    }
    expect(Math.max(...waits)).toBeLessThan(1_000);
  });

  it('marks the fencing counter while there may be a queue, and no longer', async () => {
    const [a, b] = [await manager(), await manager()];
    const fence = () => admin.get('disco:fence:{key}');
    const lock = await a.acquire('key');
    expect(await fence()).toBe(String(lock.fencingToken));
    const waiting = b.acquire('key', { wait: '30s' });
    while ((await admin.exists('disco:wait:{key}')) === 0)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await fence()).toBe(`${lock.fencingToken}+`);
    await lock.release();
    const second = await waiting;
    expect(second.fencingToken).toBeGreaterThan(lock.fencingToken);
    await second.release();
    const third = await a.acquire('key');
    expect(third.fencingToken).toBeGreaterThan(second.fencingToken);
    expect(await fence()).toBe(String(third.fencingToken));
    await third.release();
  });

  it('tells of its loss when the key is held by sharers by then, and of the others in the same call', async () => {
    const locks = await manager();
    const [lock, other] = await Promise.all([locks.acquire('key'), locks.acquire('other')]);
    await admin.del('disco:lock:{key}');
    const permit = await locks.semaphore('key', 2).acquire();
    const [lost, released] = await Promise.allSettled([lock.release(), other.release()]);
    expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'DISCO_LOCK_LOST' } });
    expect(released.status).toBe('fulfilled');
    await permit.release();
    expect(await admin.exists('disco:lock:{key}')).toBe(0);
  });

  it('grants larger fencing tokens than a counter that is ahead of the clock', async () => {
    const locks = await manager();
    const ahead = 2n * 10n ** 15n;
    await admin.set('disco:fence:{key}', String(ahead));
    for (let round = 1n; round <= 3n; round++) {
      const lock = await locks.acquire('key');
      // Each grant leaves 16 numbers to those the process passes the lock on to.
      expect(lock.fencingToken).toBe(ahead + round * 17n);
      await lock.release();
    }
  });

  it('gives a pushed lock its whole ttl soon after', async () => {
    const [a, b] = [
      await manager(undefined, { handOffMs: 2_000 }),
      await manager(undefined, { handOffMs: 2_000 }),
    ];
    const lock = await a.acquire('key');
    const waiting = b.acquire('key', { ttl: '5m' });
    while ((await admin.exists('disco:wait:{key}')) === 0)
      await new Promise((resolve) => setImmediate(resolve));
    await lock.release();
    const next = await waiting;
    while (next.remainingMs() < 200_000) await new Promise((resolve) => setImmediate(resolve));
    expect(await admin.pttl('disco:lock:{key}')).toBeGreaterThan(200_000);
  });

  it('goes on by polling when nothing is pushed', async () => {
    const [a, b] = [await manager(), await manager(undefined, { pollMs: 100 })];
    const lock = await a.acquire('key');
    const waiting = b.acquire('key', { wait: '20s' });
    while ((await admin.exists('disco:wait:{key}')) === 0)
      await new Promise((resolve) => setImmediate(resolve));
    await admin.del('disco:lock:{key}');
    await expect(waiting).resolves.toMatchObject({ keys: ['key'] });
    await expect(lock.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });

  it('refuses a lock that too few replicas have, and leaves it free', async () => {
    const locks = await manager();
    const start = performance.now();
    const error = await locks
      .acquire('key', { minReplicas: 1, replicaTimeout: 100 })
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'DISCO_LOCK_NOT_REPLICATED', replicas: 0, minReplicas: 1 });
    expect(performance.now() - start).toBeGreaterThanOrEqual(95);
    expect(await admin.exists('disco:lock:{key}')).toBe(0);
  });

  it('waits for a replica that is there', async () => {
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(server.port));
    try {
      const watcher = new Redis(replica.url);
      while (!/master_link_status:up/.test(await watcher.info('replication'))) {
        await pause(20);
      }
      const locks = await manager();
      const lock = await locks.acquire('key', { minReplicas: 1, replicaTimeout: '5s' });
      expect(await watcher.get('disco:lock:{key}')).toBe(lock.claim.token);
      watcher.disconnect();
    } finally {
      await replica.stop();
    }
  });

  it('tells that Redis cannot be asked, within the time the caller gave', async () => {
    const away = await RedisServer.start();
    const locks = await manager({ url: away.url, heartbeat: 500 });
    away.freeze();
    const start = performance.now();
    await expect(locks.acquire('key', { wait: 400 })).rejects.toMatchObject({
      code: 'DISCO_LOCK_UNAVAILABLE',
    });
    expect(performance.now() - start).toBeLessThan(1_500);
    await expect(locks.tryAcquire('key')).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    await away.stop();
  });
});
