import { Redis } from 'ioredis';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import type { Lock } from '../../../lib/lock/lock.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { redlockStore } from '../../../lib/lock/redlock-store.js';
import { RedisServer } from '../../support/redis-server.js';

describe('Redlock over three servers', () => {
  let servers: RedisServer[];
  const made: LockManager[] = [];
  beforeEach(async () => {
    servers = await Promise.all([1, 2, 3].map(() => RedisServer.start()));
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((locks) => locks.close()));
    await Promise.all(servers.map((server) => server.stop()));
  });

  const stores = () =>
    servers.map(
      ({ url }) => new RedisLockStore({ url, commandTimeout: 500, connectTimeout: 1_000, heartbeat: 500 }),
    );
  const manager = async () => {
    const locks = new LockManager(redlockStore(stores()));
    made.push(locks);
    await locks.connect();
    return locks;
  };

  /** One that talks to all three: a majority is enough for `connect`. */
  const wholeManager = async () => {
    const all = stores();
    await Promise.all(all.map((store) => store.connect()));
    const locks = new LockManager(redlockStore(all));
    made.push(locks);
    await locks.connect();
    return locks;
  };

  it('excludes, passes on, and hands out rising fencing tokens', async () => {
    const managers = [await manager(), await manager()];
    let [inside, last] = [0, 0n];
    await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        managers[index % 2].using('key', { ttl: '10s', wait: '20s' }, async (lock) => {
          expect(++inside).toBe(1);
          expect(lock.fencingToken).toBeGreaterThan(last);
          last = lock.fencingToken;
          await new Promise((resolve) => setImmediate(resolve));
          inside--;
        }),
      ),
    );
  });

  it('tells who holds a lock and takes it away by a majority, also while one server is away', async () => {
    const [a, b] = [await wholeManager(), await wholeManager()];
    const lock = await heldByAll(() => a.acquire('{x}:key', { ttl: '20s' }));
    expect(await b.inspect('{x}:key')).toMatchObject({
      mode: 'exclusive',
      holders: [{ owner: { pid: process.pid } }],
    });
    const found: string[] = [];
    for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages++) {
      const page = await b.list({ match: '*key', cursor });
      found.push(...page.locks.map(({ key }) => key));
      cursor = page.cursor;
    }
    expect(found).toEqual(['{x}:key']);
    await servers[0].kill();
    expect(await b.forceRelease('{x}:key', { by: 'ada' })).toBe(1);
    const next = await b.acquire('{x}:key', { wait: '10s' });
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await expect(lock.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  }, 30_000);

  it('bears the loss of one server, and no more', async () => {
    const [a, b] = [await wholeManager(), await wholeManager()];
    const before = await heldByAll(() => a.acquire('key', { ttl: '20s' }));
    await servers[0].kill();
    expect(await b.tryAcquire('key')).toBeNull();
    await before.extend();
    await before.release();
    const after = await b.acquire('key', { ttl: '20s', wait: '10s' });
    expect(after.fencingToken).toBeGreaterThan(before.fencingToken);
    await servers[1].kill();
    await expect(a.acquire('key', { wait: 300 })).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
  });

  it('settles by its majority while one server is frozen, in connect too, and takes it in when it thaws', async () => {
    servers[2].freeze();
    const startMs = performance.now();
    const [a, b] = [await manager(), await manager()];
    const lock = await a.acquire('key', { ttl: '3s', autoExtend: true });
    expect(await b.tryAcquire('key')).toBeNull();
    await expect(b.acquire('key', { wait: 100 })).rejects.toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED' });
    await lock.extend();
    expect(performance.now() - startMs).toBeLessThan(900);
    await lock.release();
    servers[2].thaw();
    const third = stores()[2];
    await third.connect();
    let seen = 0;
    const deadline = performance.now() + 10_000;
    while (seen === 0 && performance.now() < deadline) {
      seen = await a.using('other', async () => (await third.peek('other')).holders);
    }
    expect(seen).toBe(1);
    await third.close();
  });

  it('does not lose a held lock when one server freezes', async () => {
    const locks = await wholeManager();
    const lock = await locks.acquire('key', { ttl: '3s', autoExtend: true });
    servers[0].freeze();
    for (let round = 0; round < 3; round++) {
      const startMs = performance.now();
      await lock.extend();
      expect(performance.now() - startMs).toBeLessThan(300);
    }
    expect(lock.isValid()).toBe(true);
    servers[0].thaw();
    await lock.release();
  });

  /** A majority is enough for a lock: one server may still be connecting when it is granted. */
  async function heldByAll(acquire: () => Promise<Lock>): Promise<Lock> {
    for (;;) {
      const lock = await acquire();
      const sizes = await Promise.all(
        servers.map(async ({ url }) => {
          const client = new Redis(url);
          const keys = await client.keys('*key*');
          client.disconnect();
          return keys.length;
        }),
      );
      if (sizes.every((size) => size > 0)) return lock;
      await lock.release();
    }
  }

  it('says that it cannot know where one server has the lock, one has not, and one is away', async () => {
    const locks = await wholeManager();
    const lock = await heldByAll(() => locks.acquire('key', { ttl: '20s' }));
    // The second forgets, the third dies: whether a majority had it still, nobody can tell.
    const admin = new Redis(servers[1].url);
    await admin.flushall();
    admin.disconnect();
    await servers[2].kill();
    await expect(lock.extend()).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    expect(lock.signal.aborted).toBe(false);
    await expect(lock.release()).rejects.toMatchObject({ code: 'DISCO_LOCK_UNAVAILABLE' });
    await servers[2].boot();
  });

  it('refuses an even number, fewer than three, and one store twice', () => {
    const [one, two, three] = stores();
    for (const set of [[], [one], [one, two], [one, two, three, one], [one, two, two]]) {
      expect(() => redlockStore(set)).toThrow(expect.objectContaining({ code: 'DISCO_CONFIGURATION' }));
    }
  });
});
