import { splitFanOut } from '../../../lib/bundling/bundle-delivery.js';
import { Backlog } from '../../../lib/bus/consume/backlog.js';
import { LocalRetries } from '../../../lib/bus/consume/local-delivery.js';
import type { TopicOptions } from '../../../lib/contract/topic-options.js';
import type { Delivery } from '../../../lib/driver/delivery.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { joinBundle } from '../../../lib/message/bundle.js';
import { encodeFrame } from '../../../lib/message/frame.js';
import { noHeaders } from '../../../lib/message/headers.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { RedisServer } from '../../support/redis-server.js';
import { buses, gate, Inbox } from '../bus/support.js';

const KIB = 1024;
const { started } = buses();

describe('the backlog of a subscription at most once', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  const drivers = { memory: () => memoryDriver(), redis: () => redisDriver({ url: server.url }) };

  describe.each(['memory', 'redis'] as const)('over %s', (name) => {
    /** A handler that is busy until it is let go, with what was handled and what was dropped. */
    async function busy(options: TopicOptions) {
      const bus = await started({ driver: drivers[name](), compression: false });
      const dropped = new Inbox<string>();
      bus.onStatus((status) => {
        if (status.type === 'dropped') dropped.push(status.reason);
      });
      const handled = new Inbox<number>();
      const { promise, open } = gate();
      const handler = async (bytes: Buffer) => {
        await promise;
        handled.push(bytes[0]);
      };
      await bus.subscribe('big', handler, { concurrency: 1, ...options });
      return { bus, dropped, handled, open };
    }

    it.each([
      ['drop-new', [0, 1, 2, 3, 9]],
      ['drop-old', [0, 6, 7, 8, 9]],
    ] as const)('is bounded in bytes, %s', async (overflow, left) => {
      const { bus, dropped, handled, open } = await busy({ backlog: { maxBytes: 360 * KIB, overflow } });
      for (let n = 0; n < 9; n++) await bus.publish('big', Buffer.alloc(100 * KIB, n));
      await bus.publish('big', Buffer.alloc(50 * KIB, 9));
      await dropped.until(5);
      open();
      expect(await handled.until(left.length)).toEqual(left);
      expect(new Set(dropped.items)).toEqual(new Set(['overflow']));
      expect(dropped.items).toHaveLength(10 - left.length);
    });

    it('never keeps what is larger than the bound, and gives nothing up for it', async () => {
      const { bus, dropped, handled, open } = await busy({
        backlog: { maxBytes: 100 * KIB, overflow: 'drop-old' },
      });
      await bus.publish('big', Buffer.alloc(200 * KIB, 0));
      await bus.publish('big', Buffer.alloc(10 * KIB, 1));
      await bus.publish('big', Buffer.alloc(200 * KIB, 2));
      await dropped.until(1);
      open();
      expect(await handled.until(2)).toEqual([0, 1]);
    });

    it('counts what waits for its key', async () => {
      const { bus, dropped, handled, open } = await busy({
        orderBy: 'key',
        backlog: { maxBytes: 260 * KIB },
      });
      for (let n = 0; n < 6; n++) await bus.publish('big', Buffer.alloc(100 * KIB, n), { key: 'k' });
      await dropped.until(3);
      open();
      expect(await handled.until(3)).toEqual([0, 1, 2]);
      expect(dropped.items).toEqual(['overflow', 'overflow', 'overflow']);
    });

    it.each([
      ['count', 'drop-new', { limit: 3 }],
      ['count', 'drop-old', { limit: 3 }],
      ['bytes', 'drop-new', { maxBytes: 360 * KIB }],
      ['bytes', 'drop-old', { maxBytes: 360 * KIB }],
    ] as const)('counts what waits for its next attempt, by %s, %s', async (_, overflow, bounds) => {
      const clock = new ManualClock();
      const counted = new Inbox<string>();
      const topic = { ...noopMetrics.topic(''), dropped: counted.push };
      const bus = await started({
        driver: drivers[name](),
        compression: false,
        clock,
        metrics: { ...noopMetrics, topic: () => topic },
      });
      const dropped = new Inbox<string>();
      bus.onStatus((status) => {
        if (status.type === 'dropped') dropped.push(status.reason);
      });
      const attempts = new Inbox<string>();
      const handler = (bytes: Buffer, { attempt }: { attempt: number }) => {
        attempts.push(`${bytes[0]}:${attempt}`);
        if (attempt === 1) throw new Error('not yet');
      };
      const retry = { attempts: 2, backoff: { type: 'fixed', delay: '1m', jitter: false } } as const;
      await bus.subscribe('big', handler, { concurrency: 1, retry, backlog: { ...bounds, overflow } });
      for (let n = 0; n < 8; n++) await bus.publish('big', Buffer.alloc(100 * KIB, n));
      await attempts.until(8);
      await dropped.until(5);
      await clock.advance(60_000);
      await attempts.until(11);
      const second = attempts.items.filter((each) => each.endsWith(':2'));
      expect(second).toEqual(overflow === 'drop-new' ? ['0:2', '1:2', '2:2'] : ['5:2', '6:2', '7:2']);
      expect(new Set(dropped.items)).toEqual(new Set(['overflow']));
      expect(counted.items).toEqual(dropped.items);
    });

    it.each([['drop-new'], ['drop-old']] as const)(
      'does not count what only waits for its turn, %s',
      async (overflow) => {
        const bus = await started({ driver: drivers[name](), compression: false });
        const dropped = new Inbox<string>();
        bus.onStatus((status) => {
          if (status.type === 'dropped') dropped.push(status.reason);
        });
        const handled = new Inbox<number>();
        await bus.subscribe(
          'big',
          (bytes: Buffer) => {
            if (bytes[0] === 0)
              for (const startedMs = performance.now(); performance.now() < startedMs + 40; );
            handled.push(bytes[0]);
          },
          { backlog: { limit: 2, overflow } },
        );
        await bus.publishBatch(
          'big',
          Array.from({ length: 20 }, (_, n) => Buffer.from([n])),
        );
        expect(await handled.until(20)).toEqual(Array.from({ length: 20 }, (_, n) => n));
        expect(dropped.items).toEqual([]);
      },
    );

    it('has room again once what waited is handled', async () => {
      const { bus, dropped, handled, open } = await busy({ backlog: { limit: 2 } });
      for (let n = 0; n < 4; n++) await bus.publish('big', Buffer.from([n]));
      await dropped.until(1);
      open();
      await handled.until(3);
      for (let n = 4; n < 7; n++) {
        await bus.publish('big', Buffer.from([n]));
        await handled.until(n);
      }
      expect(handled.items).toEqual([0, 1, 2, 4, 5, 6]);
    });
  });
});

describe('a message that waits for its next attempt', () => {
  it('keeps its own bytes alive and not those of its bundle', async () => {
    const frames = Array.from({ length: 20 }, (_, n) =>
      encodeFrame({
        id: `m${n}`,
        timestamp: 0,
        headers: noHeaders,
        codec: 1,
        compression: 0,
        body: Buffer.alloc(KIB, n),
      }),
    );
    const bundle: Delivery = {
      topic: 't',
      frame: joinBundle(frames),
      attempt: 1,
      ack: async () => {},
      retry: async () => {},
      deadLetter: async () => {},
    };
    const clock = new ManualClock();
    const again = new Inbox<Delivery>();
    const nothing = () => {};
    const retries = new LocalRetries({
      clock,
      backlog: new Backlog({ limit: 100, maxBytes: 1_000 * KIB, overflow: 'drop-new' }),
      copy: (frame) => Uint8Array.prototype.slice.call(frame),
      again: again.push,
      onOverflow: nothing,
      onLost: nothing,
    });
    splitFanOut(bundle, (delivery) => void retries.wrap(delivery).retry(1), nothing);
    await clock.advance(1);
    const waited = await again.until(20);
    for (const [n, { frame, attempt }] of waited.entries()) {
      expect(Buffer.compare(frame, frames[n])).toBe(0);
      expect([attempt, frame.buffer.byteLength]).toEqual([2, frame.byteLength]);
    }
  });
});
