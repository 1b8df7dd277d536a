import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { rejection } from '../../support/redis-harness.js';
import { until } from '../../support/waiting.js';
import { gate, KeepingLogger } from '../../unit/bus/support.js';
import { streamsStage } from '../streams/support.js';

describe('Operators', () => {
  const redis = streamsStage();
  let broker: MemoryBroker;
  const running: DiscoBus[] = [];
  beforeEach(() => {
    broker = new MemoryBroker();
  });
  afterEach(() => Promise.all(running.splice(0).map((bus) => bus.stop())));

  const engines: [string, () => DiscoDriver][] = [
    ['redis', () => redisDriver({ url: redis.server.url })],
    ['memory', () => memoryDriver({ broker })],
  ];

  async function started(driver: DiscoDriver, service = 'shop') {
    const logger = new KeepingLogger();
    const bus = new DiscoBus({ driver, service, logger, shutdownTimeout: '2s' });
    running.push(bus);
    await bus.start();
    return { bus, logger };
  }

  describe.each(engines)('on %s', (_, make) => {
    it('pause a group in all processes: what was read already does not start either', async () => {
      const [{ bus: one, logger }, { bus: other }] = [await started(make()), await started(make())];
      const first = gate();
      const seen: number[] = [];
      const handler = async (n: number) => {
        seen.push(n);
        if (seen.length <= 2) await first.promise;
      };
      const options = { concurrency: 1, prefetch: 8 };
      await one.subscribe('orders', handler, options);
      await other.subscribe('orders', handler, options);
      for (let n = 0; n < 12; n++) await one.publish('orders', n);
      await until('both handle one', () => seen.length === 2);
      const outcome = await other.admin.pauseGroup('orders', 'shop', { by: 'ann' });
      expect(outcome).toMatchObject({ changed: true });
      expect(outcome.confirmed).toBe(outcome.members);
      first.open();
      await until('both have ended', async () => {
        const group = await one.inspect.group('orders', 'shop');
        return group?.running === 0 && group.waiting + group.held === 10;
      });
      expect(seen).toHaveLength(2);
      expect(logger.lines.join('\n')).toContain('operators have set the group "shop": paused');

      await one.admin.resumeGroup('orders', 'shop');
      await until('the others are handled', () => seen.length === 12);
      expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
      const deeds = await other.admin.audited();
      expect(deeds).toMatchObject([
        { by: 'shop', action: 'resume', topic: 'orders', group: 'shop' },
        { by: 'ann', action: 'pause', topic: 'orders', group: 'shop' },
      ]);
    });

    it('pause outlives the processes, and holds ordered and batched handlers as well', async () => {
      const { bus } = await started(make());
      const seen: string[] = [];
      const keyed = () => bus.subscribe('keyed', () => seen.push('keyed'), { orderBy: 'key', group: 'g' });
      const batched = () =>
        bus.subscribe('batched', () => seen.push('batched'), { batch: { size: 4 }, group: 'g' });
      for (const subscription of [await keyed(), await batched()]) await subscription.close();
      for (const topic of ['keyed', 'batched']) await bus.admin.pauseGroup(topic, 'g');
      await keyed();
      await batched();
      await bus.publish('keyed', 1, { key: 'k' });
      await bus.publish('batched', 1);
      for (const topic of ['keyed', 'batched']) {
        await until(`"${topic}" waits`, async () => {
          const group = await bus.inspect.group(topic, 'g');
          return group !== undefined && group.waiting + group.held === 1;
        });
      }
      expect(seen).toEqual([]);
      for (const topic of ['keyed', 'batched']) await bus.admin.resumeGroup(topic, 'g');
      await until('both are handled', () => seen.length === 2);
    });

    it('limit what each process handles at a time, and take the limit away', async () => {
      const { bus } = await started(make());
      const ends = gate();
      let [now, most] = [0, 0];
      const handler = async () => {
        most = Math.max(most, ++now);
        await ends.promise;
        now--;
      };
      await bus.subscribe('orders', handler, { concurrency: 8 });
      await bus.admin.limitGroup('orders', 'shop', 2);
      await bus.publishBatch('orders', Array(20).fill(0));
      await until('two run, and the others are read as far as they may be', async () => {
        const group = await bus.inspect.group('orders', 'shop');
        return group?.running === 2 && group.waiting + group.held === 20;
      });
      expect(now).toBe(2);
      expect((await bus.inspect.group('orders', 'shop'))?.limit).toBe(2);
      await bus.admin.limitGroup('orders', 'shop', undefined);
      expect((await bus.inspect.group('orders', 'shop'))?.limit).toBeUndefined();
      await until('eight run', () => now === 8);
      ends.open();
      await until('all have ended', () => now === 0);
      expect(most).toBe(8);
      expect(await rejection(bus.admin.limitGroup('orders', 'shop', 0))).toMatchObject({
        code: 'DISCO_CONFIGURATION',
      });
    });

    it('remove a group that nobody reads, but lose nothing unless they say so', async () => {
      const { bus, logger } = await started(make());
      const subscription = await bus.subscribe('orders', () => undefined, { group: 'old' });
      await subscription.close();
      await bus.publishBatch('orders', [1, 2, 3]);
      const error = await rejection(bus.admin.removeGroup('orders', 'old'));
      expect(error).toMatchObject({ code: 'DISCO_WOULD_LOSE_MESSAGES', messages: 3 });
      expect(error.message).toContain('say discard: true');
      expect(await bus.admin.removeGroup('orders', 'old', { discard: true, by: 'ann' })).toBe(true);
      expect(await bus.admin.removeGroup('orders', 'old', { discard: true })).toBe(false);
      expect(logger.lines.join('\n')).toContain('"orders", group "old": remove group by "ann", 3 messages');
      expect(await bus.admin.audited()).toMatchObject([{ action: 'remove group', messages: 3 }]);
    });

    it('see what is delayed, and have it come now', async () => {
      const { bus } = await started(make());
      const seen: unknown[] = [];
      await bus.subscribe('orders', (payload) => seen.push(payload));
      await bus.publish('orders', { n: 1 }, { delay: '1h' });
      const [delayed] = await bus.admin.delayed('orders');
      expect(delayed.message?.payload).toEqual({ n: 1 });
      expect(delayed.dueAt).toBeGreaterThan(Date.now() + 3_500_000);
      expect(await bus.admin.publishDelayed('orders', delayed.id)).toBe(true);
      await until('it is handled', () => seen.length === 1);
      expect(await bus.admin.delayed('orders')).toEqual([]);
    });

    it.each([
      ['a wrong topic', (bus: DiscoBus) => bus.admin.pauseGroup('not a topic', 'g'), 'DISCO_TOPIC_INVALID'],
      ['an empty group', (bus: DiscoBus) => bus.admin.pauseGroup('orders', ''), 'DISCO_CONFIGURATION'],
      [
        'a group that is not there',
        (bus: DiscoBus) => bus.admin.purgeGroup('orders', 'g'),
        'DISCO_CONFIGURATION',
      ],
      [
        'a misspelt option',
        (bus: DiscoBus) => bus.admin.seekGroup('orders', 'g', { to: 'end' }, { skipp: true } as object),
        'DISCO_CONFIGURATION',
      ],
      [
        'a target that is none',
        (bus: DiscoBus) => bus.admin.seekGroup('orders', 'g', { to: 'time', at: 1.5 }),
        'DISCO_CONFIGURATION',
      ],
      [
        'a limit that is none',
        (bus: DiscoBus) => bus.admin.delayed('orders', { limit: 0 }),
        'DISCO_CONFIGURATION',
      ],
    ])('are told of %s', async (_name, call, code) => {
      const { bus } = await started(make());
      expect(await rejection(call(bus))).toMatchObject({ code });
    });
  });

  it('need not wait for a process whose read is blocked', async () => {
    const { bus } = await started(redisDriver({ url: redis.server.url, streams: { block: '5s' } }));
    await bus.subscribe('orders', () => undefined);
    const startedMs = performance.now();
    const outcome = await bus.admin.pauseGroup('orders', 'shop');
    expect(outcome).toEqual({ changed: true, members: 1, confirmed: 1 });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
