import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { describeLockStore } from '../../../lib/testing/lock-store-contract.js';
import { RedisServer } from '../../support/redis-server.js';
import { describeGo } from './go-program.js';

/** How the Go library releases. */
const goRelease = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) else return 0 end`;
const lost = expect.objectContaining({ code: 'DISCO_LOCK_LOST' });
let server: RedisServer;
let redis: Redis;
let locks: LockManager;
let key: string;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = new Redis(server.url);
  locks = new LockManager(redisDriver({ url: server.url }).lockStore({ prefix: '' }));
  await locks.connect();
});

beforeEach(() => {
  key = `report-${randomBytes(4).toString('hex')}`;
});

afterAll(async () => {
  await locks.close();
  redis.disconnect();
  await server.stop();
});

const goAcquires = (ttlMs: number) => redis.set(key, 'lock', 'PX', ttlMs, 'NX');
const goReleases = () => redis.eval(goRelease, 1, key, 'lock');

describe('locks shared with Go, on Redis', () => {
  it('ours blocks Go’s, and Go cannot release it', async () => {
    const lock = await locks.acquire(key, { ttl: '10s' });
    expect(await redis.get(key)).toMatch(/^[0-9a-f]{32}$/);
    expect(await goAcquires(10_000)).toBeNull();
    expect(await goReleases()).toBe(0);
    lock.assertValid();
    await lock.release();
    expect(await goAcquires(10_000)).toBe('OK');
  });

  it('Go’s blocks ours, and we cannot release or extend it', async () => {
    const ours = await locks.acquire(key, { ttl: '10s' });
    // Ours ran out, and Go took it.
    await redis.del(key);
    expect(await goAcquires(10_000)).toBe('OK');
    expect(await locks.tryAcquire(key)).toBeNull();
    await expect(locks.acquire(key, { wait: 50 })).rejects.toThrow(
      expect.objectContaining({ code: 'DISCO_LOCK_NOT_ACQUIRED' }),
    );
    await expect(ours.extend('20s')).rejects.toThrow(lost);
    await expect(ours.release()).rejects.toThrow(lost);
    expect(await redis.get(key)).toBe('lock');
    expect(await redis.pttl(key)).toBeLessThanOrEqual(10_000);
  });

  it('releasing what Go holds fails as lost', async () => {
    const ours = await locks.acquire(key, { ttl: '10s' });
    await redis.set(key, 'lock', 'PX', 10_000);
    await expect(ours.release()).rejects.toThrow(lost);
    expect(await goReleases()).toBe(1);
  });

  it('whoever waits for Go’s gets it when Go releases it, or when its time is over', async () => {
    await goAcquires(60_000);
    const waiting = locks.acquire(key, { wait: '20s' });
    expect(await goReleases()).toBe(1);
    await (await waiting).release();
    await goAcquires(300);
    await (await locks.acquire(key, { wait: '20s' })).release();
  });

  it('never come apart: of Go and us one holds at a time', async () => {
    let holders = 0;
    let most = 0;
    let turns = 0;
    const section = async () => {
      most = Math.max(most, ++holders);
      await new Promise(setImmediate);
      holders--;
      turns++;
    };
    const ours = async () => {
      for (let turn = 0; turn < 50; turn++) await locks.using(key, { wait: '30s', ttl: '10s' }, section);
    };
    const goes = async () => {
      for (let turn = 0; turn < 50; ) {
        if ((await goAcquires(10_000)) !== 'OK') continue;
        await section();
        expect(await goReleases()).toBe(1);
        turn++;
        // Without a pause Go, which asks without end, would starve everybody else.
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    await Promise.all([ours(), ours(), goes()]);
    expect({ most, turns }).toEqual({ most: 1, turns: 150 });
  }, 60_000);

  it('leave alone whatever else has that name', async () => {
    await redis.zadd(key, 1, 'a');
    await redis.zadd(key, 2, 'b');
    expect(await locks.tryAcquire(key)).toBeNull();
    expect(await locks.readWrite(key).read.tryAcquire()).toBeNull();
    expect(await redis.zrange(key, '0', '-1')).toEqual(['a', 'b']);
  });

  it('are apart from those with a prefix', async () => {
    const prefixed = new LockManager(redisDriver({ url: server.url }).lockStore());
    await prefixed.connect();
    const [bare, other] = await Promise.all([locks.acquire(key), prefixed.acquire(key)]);
    await Promise.all([bare.release(), other.release()]);
    await prefixed.close();
  });

  it('are bare also where the driver has a prefix of its own', async () => {
    const driver = redisDriver({ url: server.url, prefix: 'shop' });
    const bare = new LockManager(driver.lockStore({ prefix: '' }));
    await bare.connect();
    await goAcquires(10_000);
    expect(await bare.tryAcquire(key)).toBeNull();
    await bare.close();
  });
});

describeLockStore('redis, bare keys', {
  createStore: () => redisDriver({ url: server.url }).lockStore({ prefix: '' }),
});

describeGo(
  'locks shared with Go',
  () => server.port,
  (it, peer) => {
    it('exclude each other, and free nobody else’s', async () => {
      const lock = await locks.acquire(key, { ttl: '30s' });
      expect(await peer().run(['lock', key, '10000'])).toBe('false');
      expect(await peer().run(['unlock', key])).toBe('0');
      await lock.release();
      expect(await peer().run(['lock', key, '10000'])).toBe('true');
      expect(await locks.tryAcquire(key)).toBeNull();
      expect(await peer().run(['unlock', key])).toBe('1');
      await (await locks.acquire(key)).release();
    });
  },
);
