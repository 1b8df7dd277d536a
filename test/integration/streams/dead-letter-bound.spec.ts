import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import type { Metrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { until } from '../../support/waiting.js';
import { gate, KeepingLogger } from '../../unit/bus/support.js';
import { member, stored, streamsStage } from './support.js';

const MAX = 3;
type Full = Extract<BusStatus, { type: 'dead-letters-full' }>;

/** Metrics that keep what was dropped, by label and reason. */
function countingMetrics() {
  const drops: string[] = [];
  const topic = (label: string) => ({
    ...noopMetrics.topic(label),
    dropped: (reason: string) => void drops.push(`${label} ${reason}`),
  });
  return { metrics: { ...noopMetrics, topic } as Metrics, drops };
}

describe('The bound of dead letters', () => {
  const redis = streamsStage();
  const running: DiscoBus[] = [];
  afterEach(async () => {
    await redis.admin.config('SET', 'maxmemory', '0');
    await Promise.all(running.splice(0).map((bus) => bus.stop()));
  });

  const drivers: [string, () => DiscoDriver][] = [
    ['redis', () => redisDriver({ url: redis.server.url, streams: { maxDeadLetters: MAX } })],
    ['memory', () => memoryDriver({ maxDeadLetters: MAX })],
  ];

  async function started(driver: DiscoDriver) {
    const logger = new KeepingLogger();
    const { metrics, drops } = countingMetrics();
    const bus = new DiscoBus({ driver, service: 'shop', logger, metrics, compression: false });
    running.push(bus);
    const told: Full[] = [];
    bus.onStatus((status) => status.type === 'dead-letters-full' && told.push(status));
    await bus.start();
    const dropped = () => told.reduce((sum, status) => sum + status.dropped, 0);
    return { bus, logger, drops, told, dropped };
  }

  it.each(drivers)('keeps the newest on %s; status, log and counter tell what gave way', async (_, make) => {
    const { bus, logger, drops, told, dropped } = await started(make());
    const fails = () => {
      throw new Error('no');
    };
    await bus.subscribe('orders.*', fails, { retry: false, concurrency: 1, prefetch: 0 });
    for (let n = 0; n < MAX + 2; n++) await bus.publish('orders.new', { n });
    const letters = bus.deadLetters('orders.new', 'shop@orders.*');
    await until('two gave way', () => dropped() === 2);
    const kept = (await letters.peek()).map(({ message }) => message?.payload);
    expect(kept).toEqual([{ n: 2 }, { n: 3 }, { n: 4 }]);
    for (const { dropped: _count, ...status } of told) {
      expect(status).toEqual({
        type: 'dead-letters-full',
        topic: 'orders.new',
        group: 'shop@orders.*',
        maxDeadLetters: MAX,
      });
    }
    expect(drops).toEqual(Array(2).fill('orders.* dead-letters-full'));
    const lines = logger.lines.filter((line) => line.includes('gave way'));
    expect(lines).toEqual([
      expect.stringContaining('"orders.new": the group "shop@orders.*" keeps 3 dead letters'),
    ]);
  });

  it('holds for what is buried because its process died, and when it is lowered', async () => {
    const streams = { claimAfter: 300, maxCrashes: 1 };
    const key = 'disco:{orders}:dead:g';
    for (let n = 0; n < 10; n++) await redis.admin.xadd(key, '*', 'f', `old${n}`, 'reason', 'attempts');
    await redis.admin.call('XGROUP', 'CREATE', 'disco:{orders}', 'g', '0', 'MKSTREAM');
    await redis.admin.call('XADD', 'disco:{orders}', '*', 'f', 'deadly');
    await redis.admin.call('XREADGROUP', 'GROUP', 'g', 'dead', 'STREAMS', 'disco:{orders}', '>');
    const driver = await redis.drivers.connected({
      url: redis.server.url,
      streams: { ...streams, maxDeadLetters: MAX },
    });
    const told: unknown[] = [];
    driver.onStatus((status) => status.type === 'dead-letters-full' && told.push(status));
    await driver.subscribe('orders', member(), (delivery) => void delivery.ack());
    await until('it is told', () => told.length > 0);
    expect(told).toEqual([
      { type: 'dead-letters-full', topic: 'orders', group: 'g', dropped: 8, maxDeadLetters: MAX },
    ]);
    const kept = (await redis.admin.xrange(key, '-', '+')).map(([, [, frame]]) => frame);
    expect(kept).toEqual(['old8', 'old9', 'deadly']);
  });

  it('drops many at a time in steps, so that no script takes long', async () => {
    const key = 'disco:{orders}:dead:g';
    const pipeline = redis.admin.pipeline();
    for (let n = 0; n < 2_500; n++) pipeline.xadd(key, '*', 'f', 'old', 'reason', 'attempts');
    await pipeline.exec();
    const driver = await redis.drivers.connected({ url: redis.server.url, streams: { maxDeadLetters: MAX } });
    const counts: number[] = [];
    driver.onStatus((status) => status.type === 'dead-letters-full' && counts.push(status.dropped));
    await driver.subscribe('orders', member({ maxInFlight: 1 }), (delivery) => {
      void delivery.deadLetter({ reason: 'attempts' });
    });
    for (let n = 0; n < 3; n++) await driver.publish('orders', Buffer.from('m'), stored());
    await until('all that gave way is told', () => counts.length === 3);
    expect(counts).toEqual([1_000, 1_000, 500]);
    expect(await redis.admin.xlen(key)).toBe(MAX);
  });

  it('makes room by itself in a Redis without memory', async () => {
    const { bus, dropped } = await started(drivers[0][1]());
    const open = gate();
    const fails = async () => {
      await open.promise;
      throw new Error('no');
    };
    await bus.subscribe('orders', fails, { retry: false });
    for (let n = 0; n < 8; n++) await bus.publish('orders', Buffer.alloc(50_000));
    await redis.admin.config('SET', 'maxmemory', '1');
    await expect(bus.publish('orders', 'one more', { timeout: '500ms' })).rejects.toMatchObject({
      retryable: true,
    });
    open.open();
    await until('all are given up', () => dropped() === 8 - MAX);
    expect(await redis.admin.xlen('disco:{orders}:dead:shop')).toBe(MAX);
    expect(((await redis.admin.call('XPENDING', 'disco:{orders}', 'shop')) as [number])[0]).toBe(0);
  });
});
