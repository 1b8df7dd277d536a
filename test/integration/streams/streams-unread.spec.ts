import type { DriverStatus } from '../../../lib/driver/driver-status.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { bytes } from '../../support/redis-harness.js';
import { until } from '../../support/waiting.js';
import { acknowledging, member, stored, streamsStage, textOf } from './support.js';

const DAY_MS = 86_400_000;

function listen(driver: { onStatus(listener: (status: DriverStatus) => void): unknown }): DriverStatus[] {
  const told: DriverStatus[] = [];
  driver.onStatus((status) => told.push(status));
  return told;
}

describe('What no group reads, on Redis', () => {
  const redis = streamsStage();
  const { drivers } = redis;
  const connected = (unread: object) => drivers.connected({ url: redis.server.url, streams: { unread } });
  const times = async (count: number, publish: (n: number) => Promise<unknown>) => {
    for (let n = 1; n <= count; n++) await publish(n);
  };

  it('is bounded in entries, told once as unread and each time as trimmed, and never refused', async () => {
    const driver = await connected({ maxLength: 5 });
    const told = listen(driver);
    await times(8, (n) => driver.publish('orders', bytes(`m${n}`), stored()));
    expect(await redis.admin.xlen('disco:{orders}')).toBe(5);
    const bounds = { maxLength: 5, maxBytes: 64 * 1024 * 1024, maxAgeMs: DAY_MS };
    expect(told.filter(({ type }) => type === 'unread')).toEqual([
      { type: 'unread', topic: 'orders', ...bounds },
    ]);
    expect(told.filter(({ type }) => type === 'trimmed')).toEqual(
      Array(3).fill({ type: 'trimmed', topic: 'orders', entries: 1 }),
    );
  });

  it('gives way at maxLength too, instead of stopping its publishers', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams: { maxLength: 3 } });
    await times(8, (n) => driver.publish('orders', bytes(`m${n}`), stored()));
    expect(await redis.admin.xlen('disco:{orders}')).toBe(3);
  });

  it('is bounded in memory', async () => {
    const driver = await connected({ maxBytes: 200_000 });
    await times(50, () => driver.publish('orders', Buffer.alloc(20_000), stored()));
    expect(await redis.admin.call('MEMORY', 'USAGE', 'disco:{orders}')).toBeLessThan(260_000);
    expect(await redis.admin.xlen('disco:{orders}')).toBeGreaterThan(0);
  });

  it('ends with its age, and the whole stream with its last publish', async () => {
    const driver = await connected({ maxAge: '1s' });
    await driver.publish('orders', bytes('old'), stored());
    const ttl = await redis.admin.pttl('disco:{orders}');
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(1_000);
    await until('the stream is gone', async () => (await redis.admin.exists('disco:{orders}')) === 0);
  });

  it('is kept for ever once a group is there, and the bounds end', async () => {
    const driver = await connected({ maxLength: 5, maxAge: '2s' });
    await times(5, (n) => driver.publish('orders', bytes(`m${n}`), stored()));
    const { inbox, take } = acknowledging();
    const subscription = await driver.subscribe('orders', member(), take);
    expect((await inbox.received(5)).map(textOf)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
    expect(await redis.admin.pttl('disco:{orders}')).toBe(-1);
    await subscription.close();
    await times(20, (n) => driver.publish('orders', bytes(`later ${n}`), stored()));
    expect(await redis.admin.xlen('disco:{orders}')).toBeGreaterThanOrEqual(20);
  });

  it('is not what groups of an earlier version read, though they left no mark', async () => {
    const driver = await connected({ maxLength: 5 });
    await redis.admin.call('XGROUP', 'CREATE', 'disco:{orders}', 'billing', '0', 'MKSTREAM');
    await times(8, (n) => driver.publish('orders', bytes(`m${n}`), stored()));
    expect(await redis.admin.xlen('disco:{orders}')).toBe(8);
  });
});

describe('What no group reads, in memory', () => {
  it.each([
    ['entries', { maxLength: 5 }, 5, 3],
    ['bytes', { maxBytes: 10 }, 5, 3],
  ])('is bounded in %s, and told', async (_, unread, kept, dropped) => {
    const broker = new MemoryBroker({ unread });
    const driver = memoryDriver({ broker });
    const told = listen(driver);
    await driver.connect();
    for (let n = 1; n <= 8; n++) await driver.publish('orders', bytes(`m${n}`), stored());
    expect(broker.length('orders')).toBe(kept);
    expect(told.filter(({ type }) => type === 'unread')).toHaveLength(1);
    expect(told.filter(({ type }) => type === 'trimmed')).toHaveLength(dropped);
    const { inbox, take } = acknowledging();
    await driver.subscribe('orders', member(), take);
    expect((await inbox.received(5)).map(textOf)).toEqual(['m4', 'm5', 'm6', 'm7', 'm8']);
    for (let n = 1; n <= 20; n++) await driver.publish('orders', bytes(`later ${n}`), stored());
    expect(told.filter(({ type }) => type === 'trimmed')).toHaveLength(dropped);
    await driver.close();
  });

  it('ends with its age', async () => {
    const clock = new ManualClock();
    const broker = new MemoryBroker({ clock, unread: { maxAge: '1h' } });
    const driver = memoryDriver({ broker });
    await driver.connect();
    await driver.publish('orders', bytes('old'), stored());
    await clock.advance(3_600_001);
    await driver.publish('orders', bytes('new'), stored());
    expect(broker.length('orders')).toBe(1);
    await driver.close();
  });
});
