import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { DiscoBus, type DiscoDriver, type GroupNumbers, type Metrics } from 'nestjs-disco-bus';
import { MemoryBroker, memoryDriver } from 'nestjs-disco-bus/memory';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { inspectScript } from '../../../lib/drivers/redis/streams/scripts/inspect-script.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { RedisServer } from '../../support/redis-server.js';
import { pause, until } from '../../support/waiting.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

const open: DiscoBus[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.stop()));
});

/** A process that reads `topic`, and what it tells of its groups now. */
async function processOf(driver: DiscoDriver, topics: readonly string[], options: object = {}) {
  const told = new Map<string, GroupNumbers>();
  let readings = 0;
  const metrics: Metrics = {
    ...noopMetrics,
    group: (topic, group) => ({
      set(numbers) {
        if (numbers === undefined) told.delete(`${topic} ${group}`);
        else {
          readings++;
          told.set(`${topic} ${group}`, numbers);
        }
      },
    }),
  };
  const logger = { log() {}, warn() {}, error() {} };
  const bus = new DiscoBus({
    driver,
    service: 'billing',
    metrics,
    metricsInterval: '1s',
    logger,
    shutdownTimeout: '1s',
    ...options,
  });
  open.push(bus);
  await bus.start();
  for (const topic of topics) await bus.subscribe(topic, () => hold.now, { concurrency: 2, prefetch: 0 });
  return { bus, driver, told, readings: () => readings };
}

/** Handlers wait while it is held. */
const hold = { now: Promise.resolve(), open: () => {} };
function holdHandlers() {
  hold.now = new Promise((resolve) => {
    hold.open = resolve;
  });
}
afterEach(() => hold.open());

let topics = 0;
const fresh = () => `orders${topics++}`;

const drivers = {
  memory: () => {
    const broker = new MemoryBroker();
    return () => memoryDriver({ broker });
  },
  redis: () => () => redisDriver({ url: redis.url }),
};

describe.each(Object.entries(drivers))('the numbers of groups over %s', (_name, factory) => {
  it('are those of bus.inspect, told by one process for all; another one takes over when it stops', async () => {
    const make = factory();
    const topic = fresh();
    holdHandlers();
    const all = [
      await processOf(make(), [topic]),
      await processOf(make(), [topic]),
      await processOf(make(), [topic]),
    ];
    const [{ bus }] = all;
    await bus.publishBatch(
      topic,
      Array.from({ length: 20 }, (_, n) => n),
    );
    const name = `${topic} billing`;
    const tellers = () => all.filter(({ told }) => told.has(name));
    await until('all that can run is told', () =>
      tellers().some(({ told }) => (told.get(name)?.running ?? 0) >= 2),
    );
    const inspected = await bus.inspect.group(topic, 'billing');
    const [teller, ...more] = tellers();
    expect(more).toEqual([]);
    expect(teller.told.get(name)).toMatchObject({
      waiting: inspected?.waiting,
      held: inspected?.held,
      running: inspected?.running,
      retrying: 0,
      deadLetters: 0,
      members: 3,
      paused: false,
      oldestSeconds: expect.any(Number),
    });
    expect(teller.told.get(name)?.oldestSeconds).toBeGreaterThan(0);

    hold.open();
    await teller.bus.stop();
    expect(teller.told.size).toBe(0);
    const others = all.filter((each) => each !== teller);
    await until(
      'another one tells',
      () => others.filter(({ told }) => told.get(name)?.members === 2).length === 1,
    );
  });

  it('of a pattern are the sums over its topics, and go with its subscription', async () => {
    const make = factory();
    const base = fresh();
    holdHandlers();
    const { bus, told } = await processOf(make(), [`${base}.*`]);
    for (const end of ['a', 'b', 'c']) await bus.publishBatch(`${base}.${end}`, [1, 2]);
    const name = `${base}.* billing@${base}.*`;
    await until('they are told', () => {
      const { held = 0, waiting = 0 } = told.get(name) ?? {};
      return held + waiting === 6;
    });
    hold.open();
  });

  it('say what is paused and what was given up', async () => {
    const topic = fresh();
    const { bus, told } = await processOf(factory()(), []);
    await bus.subscribe(topic, () => Promise.reject(new Error('no')), { retry: { attempts: 1 } });
    await bus.publishBatch(topic, [1, 2, 3]);
    const name = `${topic} billing`;
    await until('they are dead letters', () => told.get(name)?.deadLetters === 3);
    await bus.admin.pauseGroup(topic, 'billing');
    await until('it is paused', () => told.get(name)?.paused === true);
  });
});

describe('over Redis', () => {
  it('50 processes ask no more than one', async () => {
    const topic = fresh();
    const sha = createHash('sha1').update(inspectScript).digest('hex');
    const client = new Redis(redis.url);
    const monitor = await client.monitor();
    let asked = 0;
    monitor.on('monitor', (_time, [command, hash]: string[]) => {
      if (command.toLowerCase() === 'evalsha' && hash === sha) asked++;
    });
    try {
      const make = () => processOf(redisDriver({ url: redis.url }), [topic], { metricsInterval: '1s' });
      const all = await Promise.all(Array.from({ length: 50 }, make));
      await until('one tells', () => all.some(({ told }) => told.size > 0));
      const before = asked;
      const startedMs = performance.now();
      await pause(5_000);
      const seconds = (performance.now() - startedMs) / 1_000;
      const meanwhile = asked - before;
      // One that was held up for longer than its lease tells until it looks again.
      await until('one alone tells', () => all.filter(({ told }) => told.size > 0).length === 1);
      // How often it reads is by how long a reading takes; that readings are seen at all is what `before` says.
      expect(before).toBeGreaterThan(0);
      expect(meanwhile).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
    } finally {
      monitor.disconnect();
      client.disconnect();
    }
  }, 60_000);

  it('another process tells within the lease, when the one that told is gone without a word', async () => {
    const topic = fresh();
    const one = await processOf(redisDriver({ url: redis.url }), [topic]);
    await until('it tells', () => one.told.size > 0);
    const two = await processOf(redisDriver({ url: redis.url }), [topic]);
    await pause(1_500);
    expect(two.told.size).toBe(0);
    await one.driver.close(0);
    await until('the other one tells', () => two.told.size > 0, 5_000);
    expect(one.told.size).toBe(0);
  });

  it('numbers that cannot be read are told no more, once with the reason', async () => {
    const topic = fresh();
    const warnings: string[] = [];
    const logger = { log() {}, error() {}, warn: (text: string) => void warnings.push(text) };
    const { told } = await processOf(redisDriver({ url: redis.url }), [topic], { logger });
    await until('it tells', () => told.size > 0);
    const admin = new Redis(redis.url);
    await admin.set(`disco:watch:${topic}`, 'x');
    await admin.del(`disco:watch:${topic}`);
    await admin.hset(`disco:watch:${topic}`, 'not', 'a turn');
    await until('it is told', () =>
      warnings.some((text) => text.startsWith('The metrics of groups cannot be read')),
    );
    expect(told.size).toBe(0);
    await admin.del(`disco:watch:${topic}`);
    await until('it tells again', () => told.size > 0);
    await admin.quit();
    expect(warnings.filter((text) => text.includes('cannot be read'))).toHaveLength(1);
  });
});
