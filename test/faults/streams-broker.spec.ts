import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import type { PublishOptions } from '../../lib/bus/options/bus-options.js';
import type { RedisStreamOptions } from '../../lib/drivers/redis/index.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { StreamsLoad } from './streams-load.js';
import { ConsumerProcess, Journal } from './streams-processes.js';

interface Load {
  readonly n: number;
}

const policy = { delivery: 'at-least-once', concurrency: 8, prefetch: 4 } as const;
const inFlight = 12;

describe('Faults of the server and of handlers on Redis Streams', () => {
  let server: RedisServer;
  let admin: Redis;
  let buses: DiscoBus[];
  let journal: Journal;

  beforeEach(async () => {
    server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'everysec');
    admin = new Redis(server.url, { retryStrategy: () => 50 });
    admin.on('error', () => undefined);
    buses = [];
    journal = new Journal();
  });
  afterEach(async () => {
    await Promise.all(buses.map((bus) => bus.stop()));
    admin.disconnect();
    await server.stop();
  });

  async function bus(streams: RedisStreamOptions = {}): Promise<DiscoBus> {
    const made = new DiscoBus({
      driver: redisDriver({ url: server.url, streams }),
      service: 'workers',
      shutdownTimeout: '3s',
    });
    buses.push(made);
    await made.start();
    return made;
  }

  /** Handles what comes, and journals it. */
  async function handle(
    by: DiscoBus,
    work: (load: Load, attempt: number) => unknown,
    further = {},
  ): Promise<void> {
    await by.subscribe(
      'load',
      async (load: Load, { attempt }) => {
        journal.add({ type: 'begun', n: load.n, attempt, at: Date.now() });
        await work(load, attempt);
        journal.add({ type: 'done', n: load.n, attempt, at: Date.now() });
      },
      { ...policy, ...further },
    );
  }

  const publish = (by: DiscoBus, n: number, options: PublishOptions = {}) =>
    by.publish('load', { n }, { delivery: 'at-least-once', timeout: '20s', ...options });

  it('Redis is killed under load and comes back from its append-only file', async () => {
    const [total, kills] = [scaled(10_000), scaled(5, 2)];
    const [publisher, one, other] = [await bus(), await bus(), await bus()];
    await handle(one, () => pause(5));
    await handle(other, () => pause(5));
    const load = new StreamsLoad(1, (n) => publish(publisher, n));
    let worst = 0;
    let killed = 0;
    await load.during(total, async () => {
      for (let round = 0; round < kills; round++) {
        await pause(700);
        await server.kill();
        killed++;
        const startedMs = performance.now();
        await server.boot();
        worst = Math.max(worst, await load.flowsAgain(startedMs, 6_000));
      }
    });
    const { accepted, unknown } = load;
    await until('all are handled', () => [...accepted].every((n) => journal.done.has(n)), 20_000);
    await pause(300);
    const { duplicated } = journal;
    const lost = [...accepted].filter((n) => !journal.done.has(n)).length;
    const pass = lost === 0 && duplicated <= kills * 2 * inFlight && worst <= 6_000;
    report({
      engine: 'streams',
      sent: load.sent,
      faults: killed,
      lost,
      duplicated,
      unknown: unknown.size,
      worstRecoveryMs: worst,
      pass,
    });
    expect(killed).toBe(kills);
    expect(lost).toBe(0);
    expect(duplicated).toBeLessThanOrEqual(kills * 2 * inFlight);
    expect(worst).toBeLessThanOrEqual(6_000);
  }, 200_000);

  it('streams and groups are deleted while readers block', async () => {
    const rounds = scaled(3, 1);
    const [publisher, consumer] = [await bus(), await bus()];
    const losses: string[] = [];
    consumer.onStatus((status) => {
      if (status.type === 'data-loss') losses.push(status.topic);
    });
    await handle(consumer, () => undefined);
    let n = 0;
    let worst = 0;
    const harms = [
      () => admin.flushall(),
      () => admin.del('disco:{load}'),
      () => admin.del('disco:{load}', 'disco:{load}:retry:workers'),
      () => admin.xgroup('DESTROY', 'disco:{load}', 'workers'),
    ];
    for (let round = 0; round < rounds; round++) {
      for (const harm of harms) {
        for (let count = 0; count < 50; count++) await publish(publisher, n++);
        await until('all are handled', () => journal.done.size === n, 5_000);
        await pause(1_200);
        await harm();
        const startedMs = performance.now();
        await publish(publisher, n++);
        await until('it is handled', () => journal.done.size === n, 5_000);
        worst = Math.max(worst, performance.now() - startedMs);
      }
    }
    const { duplicated } = journal;
    const lost = journal.lost(n).length;
    const faults = rounds * harms.length;
    const pass =
      lost === 0 && worst <= 1_000 && duplicated <= faults * inFlight && losses.length === rounds * 3;
    report({
      engine: 'streams',
      sent: n,
      faults,
      lost,
      duplicated,
      unknown: 0,
      worstRecoveryMs: worst,
      pass,
    });
    expect({ lost, losses: losses.length }).toEqual({ lost: 0, losses: rounds * 3 });
    expect(worst).toBeLessThanOrEqual(1_000);
    expect(duplicated).toBeLessThanOrEqual(faults * inFlight);
  }, 120_000);

  it('handlers run five times longer than a silent member lives', async () => {
    const total = scaled(100);
    const claimAfter = 600;
    const [publisher, one, other] = [await bus(), await bus({ claimAfter }), await bus({ claimAfter })];
    await Promise.all(Array.from({ length: total }, (_, n) => publish(publisher, n)));
    await handle(one, () => pause(5 * claimAfter));
    await handle(other, () => pause(5 * claimAfter));
    await until('all are handled', () => journal.done.size === total, 60_000);
    await pause(2 * claimAfter);
    const { duplicated } = journal;
    const again = journal.entries.filter(({ attempt }) => attempt > 1).length;
    const pass = duplicated === 0 && again === 0;
    report({
      engine: 'streams',
      sent: total,
      faults: total,
      lost: 0,
      duplicated,
      unknown: 0,
      worstRecoveryMs: 0,
      pass,
    });
    expect({ duplicated, again }).toEqual({ duplicated: 0, again: 0 });
  }, 120_000);

  it('a consumer process is frozen, taken over from, and goes on', async () => {
    const [rounds, claimAfterMs] = [scaled(10), 1_500];
    const total = 400;
    const publisher = await bus();
    const config = {
      url: server.url,
      topic: 'load',
      group: 'workers',
      claimAfterMs,
      concurrency: 8,
      prefetch: 4,
    };
    const processes = [1, 2].map(() =>
      ConsumerProcess.start({ ...config, workMs: 30, retryDelayMs: 100 }, journal),
    );
    try {
      await Promise.all(processes.map(({ ready }) => ready));
      let n = 0;
      let worst = 0;
      for (let round = 0; round < rounds; round++) {
        for (const last = n + total; n < last; n++) await publish(publisher, n);
        processes[0].signalWith('SIGSTOP');
        const startedMs = performance.now();
        await pause(3 * claimAfterMs);
        await until('the other one has them', () => journal.done.size >= n, 10_000);
        worst = Math.max(worst, performance.now() - startedMs);
        processes[0].signalWith('SIGCONT');
        await pause(500);
      }
      await until(
        'all are settled',
        async () => ((await admin.xpending('disco:{load}', 'workers')) as number[])[0] === 0,
        10_000,
      );
      const dead = await admin.xlen('disco:{load}:dead:workers');
      const lost = journal.lost(n).length;
      const { duplicated } = journal;
      const taken = journal.entries.filter(({ attempt, type }) => type === 'begun' && attempt > 1).length;
      const pass = lost === 0 && dead === 0 && duplicated <= rounds * inFlight && taken > 0;
      report({
        engine: 'streams',
        sent: n,
        faults: rounds,
        lost,
        duplicated,
        unknown: 0,
        worstRecoveryMs: worst,
        pass,
      });
      expect({ lost, dead }).toEqual({ lost: 0, dead: 0 });
      expect(taken).toBeGreaterThan(0);
      expect(duplicated).toBeLessThanOrEqual(rounds * inFlight);
    } finally {
      for (const each of processes) each.signalWith('SIGCONT');
      await Promise.all(processes.map((each) => each.kill()));
    }
  }, 180_000);

  it('a message that always fails among others', async () => {
    const [total, attempts] = [scaled(1_000), 4];
    const [publisher, consumer] = [await bus(), await bus()];
    const bad = Math.floor(total / 2);
    const retry = { attempts, backoff: { type: 'fixed', delay: 50, jitter: false } };
    const fail = ({ n }: Load) => {
      if (n === bad) throw new Error('always');
    };
    await handle(consumer, fail, { retry });
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: total }, (_, n) => publish(publisher, n)));
    const deadCount = () => admin.xlen('disco:{load}:dead:workers');
    await until('it is a dead letter', async () => (await deadCount()) > 0, 10_000);
    await until('the others are handled', () => journal.done.size === total - 1, 10_000);
    const worstRecoveryMs = performance.now() - startedMs;
    const [begun, dead, { duplicated }] = [journal.begun.get(bad), await deadCount(), journal];
    const pass = begun === attempts && dead === 1 && duplicated === 0;
    report({
      engine: 'streams',
      sent: total,
      faults: begun ?? 0,
      lost: 0,
      duplicated,
      unknown: 0,
      worstRecoveryMs,
      pass,
    });
    expect({ begun, dead, duplicated }).toEqual({ begun: attempts, dead: 1, duplicated: 0 });
  }, 60_000);
});
