import { Redis } from 'ioredis';
import type { BusStatus } from '../../lib/bus/bus-status.js';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import type { TopicOptions } from '../../lib/contract/topic-options.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { ConsumerProcess, Journal } from './streams-processes.js';

/** The longest that a trial is waited for, and how long a dead member is missed. */
const CLAIM_AFTER_MS = 2_000;
const STATE = 'disco:{load}:state:workers';
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

interface Run {
  readonly n: number;
  readonly attempt: number;
  /** Handlers of the topic that ran in the same process when it began, itself included. */
  readonly beside: number;
}

describe('What a process had in hand when it died', () => {
  let server: RedisServer;
  let admin: Redis;
  let buses: DiscoBus[];
  let processes: ConsumerProcess[];

  beforeEach(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
    buses = [];
    processes = [];
  });
  afterEach(async () => {
    await Promise.all(processes.map((each) => each.kill()));
    await Promise.all(buses.map((bus) => bus.stop()));
    admin.disconnect();
    await server.stop();
  });

  const worker = (workMs = 60_000, journal = new Journal()) => {
    const config = { url: server.url, topic: 'load', group: 'workers', claimAfterMs: CLAIM_AFTER_MS };
    const started = ConsumerProcess.start(
      { ...config, concurrency: 16, prefetch: 16, workMs, retryDelayMs: 100 },
      journal,
    );
    processes.push(started);
    return { process: started, journal };
  };

  const busOf = async (topics: Record<string, TopicOptions>, bundled = false) => {
    const driver = redisDriver({ url: server.url, streams: { claimAfter: CLAIM_AFTER_MS } });
    const bus = new DiscoBus({ driver, service: 'workers', topics, bundling: bundled ? {} : false });
    buses.push(bus);
    await bus.start();
    return bus;
  };

  /** Subscribes `bus`; every handler takes `workMs`. */
  async function recording(bus: DiscoBus, workMs: number): Promise<Run[]> {
    const runs: Run[] = [];
    let running = 0;
    await bus.subscribe('load', async ({ n }: { n: number }, { attempt }) => {
      runs.push({ n, attempt, beside: ++running });
      await pause(workMs);
      running--;
    });
    return runs;
  }

  /** Kills a worker that holds `count` messages, 16 of them begun, once Redis knows which. */
  async function killHolding(count: number, publish: () => Promise<unknown>): Promise<Journal> {
    const { process, journal } = worker();
    await process.ready;
    await publish();
    await until('16 have begun', () => journal.begun.size === 16, 10_000);
    const marks = async () => Object.entries(await admin.hgetall(STATE));
    const named = async () =>
      (await marks()).some(([field, text]) => field.startsWith('running:') && text.split(',').length === 16);
    await until('Redis knows them', named, 5_000);
    await process.kill();
    expect([process.signal, journal.begun.size, count]).toEqual(['SIGKILL', 16, count]);
    return journal;
  }

  it.each([
    ['alone', false],
    ['in one bundle', true],
  ])(
    'counts a crash for what had begun only, published %s, and other topics go on',
    async (_, bundled) => {
      const topics = { load: { delivery: 'at-least-once' }, quick: { delivery: 'at-least-once' } } as const;
      const bus = await busOf(topics, bundled);
      const publish = async () => {
        if (bundled) await Promise.all(numbers(32).map((n) => bus.publish('load', { n })));
        else for (const n of numbers(32)) await bus.publish('load', { n });
      };
      const journal = await killHolding(32, publish);
      const lateMs: number[] = [];
      const runs = await recording(bus, 100);
      await bus.subscribe('quick', (sentMs: number) => void lateMs.push(performance.now() - sentMs));
      let sent = 0;
      while (runs.length < 32) {
        await bus.publish('quick', performance.now());
        sent++;
        await pause(20);
      }
      await until('all quick ones came', () => lateMs.length === sent, 5_000);
      const suspects = runs.filter(({ attempt }) => attempt === 2);
      expect(suspects.map(({ n }) => n).sort()).toEqual([...journal.begun.keys()].sort());
      expect(suspects.every(({ beside }) => beside === 1)).toBe(true);
      expect(runs).toHaveLength(32);
      expect(new Set(runs.map(({ n }) => n)).size).toBe(32);
      expect(Math.max(...lateMs)).toBeLessThan(500);
    },
    30_000,
  );

  it('is tried by several members where a trial takes long, one at a time in each', async () => {
    const topics = { load: { delivery: 'at-least-once', concurrency: 16, prefetch: 16 } } as const;
    const [one, other] = [await busOf(topics), await busOf(topics)];
    const publish = async () => {
      for (const n of numbers(16)) await one.publish('load', { n });
      for (const n of numbers(4)) await one.publish('load', { n: 16 + n });
    };
    await killHolding(20, publish);
    const all = [await recording(one, 1_500), await recording(other, 1_500)];
    await until(
      'both try some',
      () => all.every((runs) => runs.some(({ attempt }) => attempt === 2)),
      15_000,
    );
    await until('each has tried two', () => all.every((runs) => runs.length >= 2), 15_000);
    for (const runs of all) for (const { attempt, beside } of runs) if (attempt === 2) expect(beside).toBe(1);
  }, 60_000);

  it('becomes a dead letter that says in words how its processes died', async () => {
    const bus = await busOf({ load: { delivery: 'at-least-once' } });
    const told: BusStatus[] = [];
    bus.onStatus((status) => {
      if (status.type === 'error' || status.type === 'dead-letter') told.push(status);
    });
    const { process } = worker(10);
    await process.ready;
    await bus.publish('load', { n: 1, does: 'die' });
    for (let death = 1; death <= 3; death++) {
      await processes.at(-1)!.exited;
      expect(processes.at(-1)!.signal).toBe('SIGKILL');
      if (death < 3) await worker(10).process.ready;
    }
    await recording(bus, 10);
    const dead = bus.deadLetters('load', 'workers');
    await until('it is a dead letter', async () => (await dead.count()) === 1, 10_000);
    const [letter] = await dead.peek();
    expect(letter).toMatchObject({ reason: 'crashes', error: { name: 'ProcessDied' } });
    expect(letter.error?.message).toMatch(
      /^3 processes died while its handler ran; the last one was "workers@.+", which was last heard of at \d{4}-\d\d-\d\dT/,
    );
    await until('it is told', () => told.length > 0, 5_000);
    expect(told).toEqual([
      { type: 'dead-letter', topic: 'load', group: 'workers', reason: 'crashes', letters: 1 },
    ]);
  }, 60_000);
});
