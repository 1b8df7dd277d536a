import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';

interface Settings {
  readonly maxLength?: number;
  readonly abandoned?: { warnAfter?: number; removeAfter?: number };
}

let redis: RedisServer;
let topics = 0;
let topic: string;
const running: DiscoBus[] = [];

/** Drivers with such settings that reach each other. */
const engines: { name: string; drivers(settings: Settings): () => DiscoDriver }[] = [
  {
    name: 'memory',
    drivers: (settings) => {
      const broker = new MemoryBroker(settings);
      return () => memoryDriver({ broker });
    },
  },
  { name: 'redis', drivers: (settings) => () => redisDriver({ url: redis.url, streams: settings }) },
];

beforeAll(async () => {
  redis = await RedisServer.start();
});
beforeEach(() => {
  topic = `orders.${++topics}`;
});
afterEach(() => Promise.all(running.splice(0).map((bus) => bus.stop())));
afterAll(() => redis.stop());

async function started(driver: DiscoDriver, service: string) {
  const lines: string[] = [];
  const logger = { log: () => {}, warn: () => {}, error: (line: string) => lines.push(line) };
  const bus = new DiscoBus({ driver, service, logger });
  running.push(bus);
  const told: Extract<BusStatus, { type: 'abandoned' }>[] = [];
  bus.onStatus((status) => status.type === 'abandoned' && told.push(status));
  await bus.start();
  return { bus, told, lines };
}

/** A service reads the topic once, and never again. */
async function leave(driver: DiscoDriver): Promise<void> {
  const { bus } = await started(driver, 'old');
  await bus.subscribe(topic, () => {});
  await bus.stop();
}

describe.each(engines)('A group that nobody reads any more, on $name', ({ drivers }) => {
  it('is told once to who publishes, with what it holds and since when', async () => {
    const driver = drivers({ abandoned: { warnAfter: 1 } });
    await leave(driver());
    const leftMs = Date.now();
    const { bus, told, lines } = await started(driver(), 'web');
    await bus.publish(topic, 1);
    await until('it is told', () => told.length === 1);
    for (let n = 0; n < 5; n++) await bus.publish(topic, n);
    expect(told).toEqual([
      {
        type: 'abandoned',
        topic,
        group: 'old',
        messages: expect.any(Number),
        since: expect.any(Number),
        removed: false,
      },
    ]);
    expect(Math.abs(told[0].since! - leftMs)).toBeLessThan(5_000);
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(
          `^"${topic}": nobody has read the group "old" since .* removeGroup\\('${topic}', 'old'\\)`,
        ),
      ),
    ]);
  });

  it('is not told of while it is read, nor of a service that starts anew', async () => {
    const driver = drivers({});
    await leave(driver());
    const { bus, told } = await started(driver(), 'web');
    await bus.subscribe(topic, () => {}, { group: 'read' });
    for (let n = 0; n < 5; n++) await bus.publish(topic, n);
    await bus.stop();
    expect(told).toEqual([]);
  });

  it('is removed after a time where that is wished, and that is told', async () => {
    const driver = drivers({ abandoned: { warnAfter: 1, removeAfter: 2 } });
    await leave(driver());
    const { bus, told } = await started(driver(), 'web');
    await until('it is removed', async () => {
      await bus.publish(topic, 1);
      return told.some(({ removed }) => removed);
    });
    expect(await bus.removeGroup(topic, 'old')).toBe(false);
  });

  it('is named by the error of a topic that is full for it', async () => {
    const driver = drivers({ maxLength: 3 });
    await leave(driver());
    const { bus } = await started(driver(), 'web');
    const publishing = (async () => {
      for (let n = 0; n < 10; n++) await bus.publish(topic, n);
    })();
    await expect(publishing).rejects.toThrow(/the group "old" has no members/);
    await bus.removeGroup(topic, 'old');
    await expect(bus.publish(topic, 'again')).resolves.toBeDefined();
  });
});
