import { Redis } from 'ioredis';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, sharedMs } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import {
  check,
  FencedStore,
  LockWorker,
  staleWrites,
  WallClockWatch,
  type WorkerOrder,
} from './locks-support.js';

const keys = ['a', 'b', 'c', 'd'];
const processes = full ? 8 : 3;

describe('locks of several processes', () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let admin: Redis;
  let workers: LockWorker[] = [];

  beforeEach(async () => {
    server = await RedisServer.start();
    proxy = await FaultProxy.start(server.port);
    admin = new Redis(server.url);
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    workers = [];
    admin.disconnect();
    await proxy.stop();
    await server.stop();
  });

  const start = async (count: number, order: Omit<WorkerOrder, 'url'>) => {
    const url = proxy.url;
    const started = await Promise.all(
      Array.from({ length: count }, () => LockWorker.start({ ...order, url })),
    );
    workers.push(...started);
    for (const worker of started) worker.go();
    return started;
  };

  it('hold intervals never overlap and tokens rise', async () => {
    await start(processes, { keys, ttlMs: 5_000, task: 'cycle' });
    await pause(full ? 30_000 : 3_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    const holds = workers.flatMap((worker) => worker.holds);
    const least = full ? 20_000 : 500;
    const found = check(holds);
    const pass = found.overlaps === 0 && found.disorders === 0 && holds.length >= least;
    report({ sent: holds.length, faults: 0, processes, ...found, pass });
    expect(workers.flatMap((worker) => worker.errors)).toEqual([]);
    expect(found).toEqual({ overlaps: 0, disorders: 0 });
    expect(holds.length).toBeGreaterThanOrEqual(least);
  }, 120_000);

  it('the same under faults: nothing overlaps, and a fenced store accepts nothing stale', async () => {
    const ttlMs = 400;
    const wallClock = new WallClockWatch();
    const order = { keys, ttlMs, task: 'cycle' } as const;
    await start(processes, order);
    const injected: Record<string, number> = {};
    const rounds = full ? 240 : 16;
    const victim = (round: number) => {
      const alive = workers.filter((worker) => !worker.gone);
      return alive[round % alive.length];
    };
    const starting: Promise<unknown>[] = [];
    for (let round = 0; round < rounds; round++) {
      const kind = ['cut', 'pause', 'flush', 'stop', 'cut', 'kill'][round % 6];
      injected[kind] = (injected[kind] ?? 0) + 1;
      if (kind === 'cut') expect(proxy.cut()).toBeGreaterThan(0);
      if (kind === 'pause') await admin.call('CLIENT', 'PAUSE', '200');
      if (kind === 'flush') await admin.script('FLUSH');
      if (kind === 'stop') {
        const stopped = victim(round);
        stopped.child.kill('SIGSTOP');
        setTimeout(() => stopped.child.kill('SIGCONT'), ttlMs * 3);
      }
      if (kind === 'kill') {
        await victim(round).kill();
        starting.push(start(1, order));
      }
      await pause(500);
    }
    await Promise.all(starting);
    await pause(1_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    const holds = workers.flatMap((worker) => worker.holds);
    const found = check(holds);
    const store = new FencedStore();
    for (const hold of [...holds].sort((a, b) => a.writeMs - b.writeMs)) store.write(hold.key, hold.token);
    const stale = staleWrites(store, holds);
    const faults = Object.values(injected).reduce((sum, count) => sum + count);
    const pass = found.overlaps === 0 && found.disorders === 0 && stale === 0;
    report({
      sent: holds.length,
      faults,
      ...injected,
      ...found,
      stale,
      refused: store.refused,
      // Redis lets keys expire by this clock: a step of more than the allowance for drift can free a lock early.
      wallClockStepMs: wallClock.stop(),
      pass,
    });
    expect(workers.flatMap((worker) => worker.errors)).toEqual([]);
    expect(proxy.counts.cuts).toBeGreaterThan(0);
    expect(holds.length).toBeGreaterThan(rounds * 5);
    expect({ ...found, stale }).toEqual({ overlaps: 0, disorders: 0, stale: 0 });
  }, 240_000);

  it('a killed holder is followed within its ttl and 200 ms', async () => {
    const ttlMs = 500;
    const kills = full ? 50 : 5;
    const locks = new LockManager(new RedisLockStore({ url: server.url }), { ttl: ttlMs });
    await locks.connect();
    const took: number[] = [];
    try {
      while (took.length < kills) {
        const own = await Promise.all(
          Array.from({ length: 5 }, async (_, index) => {
            const key = `killed-${took.length}-${index}`;
            const worker = await LockWorker.start({ url: server.url, keys: [key], ttlMs, task: 'hold' });
            workers.push(worker);
            worker.go();
            return { key, worker };
          }),
        );
        while (!own.every(({ worker }) => worker.holding)) await pause(10);
        const waiting = own.map(({ key }) => locks.acquire(key, { wait: '30s' }).then(() => sharedMs()));
        // Longer than the ttl: they live by their extension, until they are killed.
        await pause(ttlMs * 1.5);
        for (const [index, { worker }] of own.entries()) {
          const killedMs = sharedMs();
          await worker.kill();
          took.push((await waiting[index]) - killedMs);
        }
      }
    } finally {
      await locks.close();
    }
    const worstRecoveryMs = Math.round(Math.max(...took));
    const lost = workers.flatMap((worker) => worker.errors).length;
    const early = took.filter((ms) => ms <= 0).length;
    const pass = worstRecoveryMs <= ttlMs + 200 && early + lost === 0;
    report({ early, holdersLost: lost, faults: took.length, worstRecoveryMs, ttlMs, pass });
    expect({ early, lost }).toEqual({ early: 0, lost: 0 });
    expect(worstRecoveryMs).toBeLessThanOrEqual(ttlMs + 200);
  }, 240_000);
});
