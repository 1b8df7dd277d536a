import { Redis } from 'ioredis';
import type { LockStore } from '../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../lib/drivers/memory/locks/memory-lock-table.js';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { ClaimReturns } from '../../lib/lock/claim-returns.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { redlockStore } from '../../lib/lock/redlock-store.js';
import { seededRandom } from '../../lib/testing/seeded-random.js';
import { systemClock } from '../../lib/timing/clock.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';

const rounds = process.env.FULL === '1' ? 1_000 : 150;
const keys = ['a', 'b', 'c'];
/** So much longer than the test takes that nothing becomes free by its time. */
const ttl = 3_600_000;

describe(`Locks leave nothing behind, ${rounds} give-ups, closings and cuts`, () => {
  let servers: RedisServer[];
  let admins: Redis[];
  let proxies: FaultProxy[];
  beforeAll(async () => {
    servers = await Promise.all([1, 2, 3].map(() => RedisServer.start()));
    admins = servers.map(({ url }) => new Redis(url));
    proxies = await Promise.all(servers.map(({ port }) => FaultProxy.start(port)));
  });
  afterAll(async () => {
    for (const admin of admins) admin.disconnect();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await Promise.all(servers.map((server) => server.stop()));
  });
  beforeEach(() => Promise.all(admins.map((admin) => admin.flushall())));

  const table = new MemoryLockTable();
  const onRedis = (proxy: FaultProxy) =>
    new RedisLockStore({ url: proxy.url, commandTimeout: 500, connectTimeout: 1_000, heartbeat: 500 });
  const traces = async () => {
    const found = await Promise.all(admins.map((admin) => admin.keys('*')));
    return found.flat().filter((key) => !key.startsWith('disco:fence:'));
  };
  const engines: Record<string, { store(): LockStore; left(): Promise<number>; cuts: boolean }> = {
    memory: { store: () => new MemoryLockStore({ table }), left: async () => table.size, cuts: false },
    redis: { store: () => onRedis(proxies[0]), left: async () => (await traces()).length, cuts: true },
    redlock: {
      store: () => redlockStore(proxies.map(onRedis)),
      left: async () => (await traces()).length,
      cuts: true,
    },
  };

  it.each(Object.keys(engines))(
    'on %s',
    async (engine) => {
      const { store, left, cuts } = engines[engine];
      const random = seededRandom(7);
      const pick = (count: number) => Math.floor(random() * count);
      const done = { granted: 0, refused: 0, givenUp: 0, closed: 0, cut: 0 };
      const start = async () => {
        const locks = new LockManager(store());
        await locks.connect();
        return locks;
      };
      const steady = [await start(), await start()];
      const keeper = store();
      await keeper.connect();
      const returns = new ClaimReturns(keeper, systemClock);
      const work: Promise<unknown>[] = [];
      const use = async (locks: LockManager, signal: AbortSignal) => {
        try {
          const options = { ttl, signal, wait: 50 + pick(500), autoExtend: false, fair: pick(3) === 0 };
          await locks.using(keys[pick(keys.length)], options, () => new Promise((go) => setImmediate(go)));
          done.granted++;
        } catch {
          done.refused++;
        }
      };
      for (let round = 0; round < rounds; round++) {
        const quitter = new AbortController();
        const what = pick(cuts ? 3 : 2);
        for (const locks of steady) work.push(use(locks, quitter.signal));
        if (what === 0) {
          done.givenUp++;
        } else if (what === 1) {
          const leaving = await start();
          const acquired = leaving.acquire(keys[pick(keys.length)], { ttl }).catch(() => undefined);
          for (let turn = pick(6); turn > 0; turn--) await new Promise((go) => setImmediate(go));
          const closing = leaving.close();
          const lock = await acquired;
          await closing;
          // Who was given it before has it still.
          if (lock) await returns.giveBack(lock.claim);
          done.closed++;
        } else if (proxies[pick(engine === 'redis' ? 1 : 3)].cut() > 0) {
          done.cut++;
        }
        for (let turn = pick(20); turn > 0; turn--) await new Promise((go) => setImmediate(go));
        quitter.abort();
        if (round % 10 < 9) continue;
        await Promise.all(work.splice(0));
        // The connections are there again.
        for (const locks of steady) await (await locks.acquire('again', { ttl, wait: '20s' })).release();
      }
      await Promise.all(work);
      await until('nothing is left', async () => (await left()) === 0);
      await Promise.all(steady.map((locks) => locks.close()));
      await returns.close();
      await keeper.close();
      expect(await left()).toBe(0);
      expect(Math.min(done.granted, done.givenUp, done.closed)).toBeGreaterThan(rounds / 50);
      expect(done.refused).toBeGreaterThan(0);
      expect(done.cut > rounds / 20).toBe(cuts);
    },
    300_000,
  );
});
