import { setTimeout as sleep } from 'node:timers/promises';
import type { DiscoBusOptions, SubscribeOptions } from '../../../lib/bus/options/bus-options.js';
import type { Metrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { buses, gate, Inbox } from '../bus/support.js';
import { cases, useEngines } from './two-engines.js';

const { started: startedOn } = buses();
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

const driverOf = useEngines();

describe.each(cases)('pause on %s, %s,', (engine, delivery) => {
  const started = (options: Partial<DiscoBusOptions> = {}) =>
    startedOn({ driver: driverOf(engine), ...options });
  const publish = (bus: Awaited<ReturnType<typeof started>>, count: number, key?: string) =>
    Promise.all(numbers(count).map((n) => bus.publish('t', n, { delivery, key })));

  it.each<[string, SubscribeOptions]>([
    ['what waits for a place', { concurrency: 1, prefetch: 30 }],
    ['what waits for its key', { concurrency: 1, prefetch: 30, orderBy: 'key' }],
  ])('holds back %s', async (_, options) => {
    const bus = await started();
    const inbox = new Inbox<number>();
    const first = gate();
    const handler = async (n: number) => {
      inbox.push(n);
      if (n === 0) await first.promise;
    };
    const subscription = await bus.subscribe('t', handler, { delivery, ...options });
    await publish(bus, 31, options.orderBy && 'k');
    await inbox.until(1);
    subscription.pause();
    first.open();
    await sleep(50);
    expect(inbox.items).toEqual([0]);
    subscription.resume();
    expect(await inbox.until(31)).toEqual(numbers(31));
  });

  it('holds back a batch whose time has come', async () => {
    const bus = await started();
    const inbox = new Inbox<number[]>();
    const subscription = await bus.subscribe('t', (all: number[]) => inbox.push(all), {
      delivery,
      batch: { size: 10, linger: 20 },
    });
    await publish(bus, 3);
    await sleep(5);
    subscription.pause();
    await sleep(60);
    expect(inbox.items).toEqual([]);
    subscription.resume();
    expect((await inbox.until(1))[0]).toEqual([0, 1, 2]);
  });

  it.each([undefined, 'key' as const])('holds back retries that come due, orderBy %s', async (orderBy) => {
    const bus = await started();
    const inbox = new Inbox<number>();
    const handler = (_: number, { attempt }: { attempt: number }) => {
      inbox.push(attempt);
      if (attempt === 1) throw new Error('once');
    };
    const retry = { attempts: 2, backoff: { delay: 20 } };
    const subscription = await bus.subscribe('t', handler, { delivery, orderBy, retry });
    await publish(bus, 1);
    await inbox.until(1);
    subscription.pause();
    await sleep(80);
    expect(inbox.items).toEqual([1]);
    subscription.resume();
    expect(await inbox.until(2)).toEqual([1, 2]);
  });

  it('holds back what was being read', async () => {
    const reading = new Inbox<string>();
    const topic = (label: string) => ({
      ...noopMetrics.topic(label),
      size: (way: string) => void (way === 'in' && reading.push(way)),
    });
    const metrics: Metrics = { ...noopMetrics, topic };
    const bus = await started({ maxMessageSize: 64 * 1024 * 1024, compression: {}, metrics });
    const inbox = new Inbox<number>();
    const subscription = await bus.subscribe('t', (bytes: Buffer) => inbox.push(bytes.length), { delivery });
    // Compressed, so that it is read for a while.
    await bus.publish('t', Buffer.alloc(32 * 1024 * 1024), { delivery });
    await reading.until(1);
    subscription.pause();
    await sleep(300);
    const early = inbox.items.length;
    subscription.resume();
    await inbox.until(1);
    expect(early).toBe(0);
  });

  it('ends with the subscription: nothing starts, and close does not wait for it', async () => {
    const bus = await started();
    const dropped: string[] = [];
    bus.onStatus((status) => status.type === 'dropped' && dropped.push(status.reason));
    const inbox = new Inbox<number>();
    const first = gate();
    const handler = async (n: number) => {
      inbox.push(n);
      await first.promise;
    };
    const subscription = await bus.subscribe('t', handler, { delivery, concurrency: 1, orderBy: 'key' });
    await publish(bus, 2, 'k');
    await inbox.until(1);
    subscription.pause();
    first.open();
    await sleep(10);
    await subscription.close();
    subscription.resume();
    await sleep(20);
    expect(inbox.items).toEqual([0]);
    expect(dropped).toEqual(delivery === 'at-most-once' ? ['closed'] : []);
  });
});
