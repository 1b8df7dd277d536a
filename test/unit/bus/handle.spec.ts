import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { UnrecoverableError } from '../../../lib/errors/handler.errors.js';
import { encodeFrame } from '../../../lib/message/frame.js';
import { noHeaders } from '../../../lib/message/headers.js';
import type { Metrics, TopicMetrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { buses, gate, Inbox, KeepingLogger } from './support.js';

const { started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 1 } } as const;

/** Metrics that keep what they are told of processing, as `status` or `dropped:reason`. */
function keepingMetrics(): { metrics: Metrics; told: Inbox<string> } {
  const told = new Inbox<string>();
  const topic: TopicMetrics = {
    ...noopMetrics.topic(''),
    processed: (status) => told.push(status),
    retried: () => told.push('retried'),
    deadLettered: (reason) => told.push(`dead:${reason}`),
    dropped: (reason) => told.push(`dropped:${reason}`),
  };
  return { metrics: { ...noopMetrics, topic: () => topic }, told };
}

describe('subscribe', () => {
  it('refuses a missing handler, a bad topic and bad options', async () => {
    const bus = await started();
    await expect(bus.subscribe('orders', undefined as never)).rejects.toThrow(code('DISCO_HANDLER_MISSING'));
    await expect(bus.subscribe('', () => {})).rejects.toThrow(code('DISCO_TOPIC_INVALID'));
    await expect(bus.subscribe('a..*', () => {})).rejects.toThrow(code('DISCO_TOPIC_INVALID'));
    for (const options of [
      { concurrency: 0 },
      { prefetch: -1 },
      { timeout: 0 },
      { group: 'a b' },
      { retry: { attempts: 0 } },
      { startFrom: 'x' as 'new' },
      { backlog: { limit: 0 } },
    ]) {
      await expect(bus.subscribe('orders', () => {}, options)).rejects.toThrow(code('DISCO_CONFIGURATION'));
    }
  });

  it('calls every subscription of a topic, and only those', async () => {
    const bus = await started();
    const inbox = new Inbox<string>();
    await bus.subscribe('orders', () => inbox.push('first'));
    await bus.subscribe('orders', () => inbox.push('second'));
    await bus.subscribe('ord.*', () => inbox.push('never'));
    await bus.publish('orders', 1);
    expect((await inbox.until(2)).sort()).toEqual(['first', 'second']);
  });

  it('matches patterns, telling the topic of each message', async () => {
    const bus = await started();
    const inbox = new Inbox<string>();
    await bus.subscribe('orders.>', (_, ctx) => inbox.push(ctx.topic));
    for (const topic of ['orders.a', 'other.a', 'orders.b.c']) await bus.publish(topic, 1);
    expect(await inbox.until(2)).toEqual(['orders.a', 'orders.b.c']);
  });

  it('never runs more handlers at a time than its concurrency', async () => {
    const bus = await started();
    let running = 0;
    let most = 0;
    const inbox = new Inbox<number>();
    await bus.subscribe(
      'orders',
      async (n) => {
        most = Math.max(most, ++running);
        await new Promise(setImmediate);
        running--;
        inbox.push(n);
      },
      { concurrency: 3 },
    );
    await bus.publishBatch(
      'orders',
      Array.from({ length: 30 }, (_, n) => n),
    );
    await inbox.until(30);
    expect(most).toBe(3);
  });

  it.each(['drop-new', 'drop-old'] as const)('bounds what waits, %s', async (overflow) => {
    const { metrics, told } = keepingMetrics();
    const bus = await started({ metrics });
    const { promise, open } = gate();
    const inbox = new Inbox<number>();
    await bus.subscribe(
      'orders',
      async (n) => {
        await promise;
        inbox.push(n);
      },
      { concurrency: 1, backlog: { limit: 2, overflow } },
    );
    await bus.publishBatch('orders', [0, 1, 2, 3, 4]);
    await told.until(2);
    open();
    expect(await inbox.until(3)).toEqual(overflow === 'drop-new' ? [0, 1, 2] : [0, 3, 4]);
    expect(told.items.filter((each) => each === 'dropped:overflow')).toHaveLength(2);
  });

  it('validates with a Standard Schema, and hands on what it makes of the payload', async () => {
    const { z } = await import('zod');
    const { metrics, told } = keepingMetrics();
    const logger = new KeepingLogger();
    const bus = await started({ metrics, logger });
    const inbox = new Inbox<unknown>();
    await bus.subscribe('orders', (payload) => inbox.push(payload), {
      schema: z.object({ n: z.coerce.number() }),
      retry: quick,
    });
    await bus.publish('orders', { n: '7', extra: true });
    expect(await inbox.until(1)).toEqual([{ n: 7 }]);
    await bus.publish('orders', { n: 'secret-4711' });
    await told.until(3);
    expect(told.items).toEqual(['success', 'error', 'dropped:failed']);
    expect(logger.lines.join()).toContain('n');
    expect(logger.lines.join()).not.toContain('4711');
  });

  it('stops one subscription alone, and can pause', async () => {
    const bus = await started();
    const inbox = new Inbox<string>();
    const first = await bus.subscribe('orders', () => inbox.push('first'));
    const second = await bus.subscribe('orders', () => inbox.push('second'), { delivery: 'at-most-once' });
    await first.close();
    await first.close();
    second.pause();
    await bus.publish('orders', 1);
    second.resume();
    await bus.publish('orders', 2);
    expect(await inbox.until(1)).toEqual(['second']);
  });
});

describe('a handler that fails', () => {
  it.each([
    [
      'throws an Error',
      'error',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', 'error', () => Promise.reject(new Error('no'))],
    [
      'throws a string',
      'panic',
      () => {
        throw 'no' as unknown as Error;
      },
    ],
    ['rejects with nothing', 'panic', () => Promise.reject()],
    ['has a mistake in it', 'panic', () => (undefined as unknown as { x: { y: number } }).x.y],
    ['takes too long', 'timeout', () => new Promise(() => {})],
  ])('%s: counted as %s, dropped, and the next message is handled', async (_, status, fail) => {
    const { metrics, told } = keepingMetrics();
    const bus = await started({ metrics });
    await bus.subscribe('orders', (n) => (n === 0 ? fail() : undefined), { timeout: 20 });
    await bus.publish('orders', 0);
    await bus.publish('orders', 1);
    await told.until(3);
    expect([...told.items].sort()).toEqual(['dropped:failed', status, 'success'].sort());
  });

  it('sees its signal abort when its time is up', async () => {
    const bus = await started();
    const inbox = new Inbox<unknown>();
    await bus.subscribe(
      'orders',
      (_, ctx) =>
        new Promise(() => ctx.signal.addEventListener('abort', () => inbox.push(ctx.signal.reason))),
      { timeout: 10 },
    );
    await bus.publish('orders', 1);
    expect(await inbox.until(1)).toEqual([code('DISCO_HANDLER_TIMEOUT')]);
  });

  it.each(['at-most-once', 'at-least-once'] as const)(
    '%s: is tried again as the policy says, then given up',
    async (delivery) => {
      const { metrics, told } = keepingMetrics();
      const bus = await started({ metrics });
      const attempts = new Inbox<number>();
      await bus.subscribe(
        'orders',
        (_, ctx) => {
          attempts.push(ctx.attempt);
          throw new Error('no');
        },
        { delivery, retry: quick },
      );
      await bus.publish('orders', 1, { delivery });
      await told.until(6);
      expect(attempts.items).toEqual([1, 2, 3]);
      expect(told.items).toEqual(
        delivery === 'at-least-once'
          ? ['error', 'retried', 'error', 'retried', 'dead_letter', 'dead:attempts']
          : ['error', 'retried', 'error', 'retried', 'error', 'dropped:failed'],
      );
    },
  );

  it('is not tried again after an UnrecoverableError', async () => {
    const { metrics, told } = keepingMetrics();
    const broker = new MemoryBroker();
    const bus = await started({ metrics, driver: memoryDriver({ broker }) });
    const fail = () => {
      throw new UnrecoverableError('hopeless');
    };
    await bus.subscribe('orders', fail, { delivery: 'at-least-once', group: 'g', retry: quick });
    await bus.publish('orders', 1, { delivery: 'at-least-once' });
    expect(await told.until(2)).toEqual(['dead_letter', 'dead:unrecoverable']);
    expect(broker.deadLetters('orders', 'g')).toHaveLength(1);
  });

  it('without dead letters is dropped and counted', async () => {
    const { metrics, told } = keepingMetrics();
    const broker = new MemoryBroker();
    const bus = await started({ metrics, driver: memoryDriver({ broker }) });
    const fail = () => {
      throw new Error('no');
    };
    await bus.subscribe('orders', fail, {
      delivery: 'at-least-once',
      group: 'g',
      retry: false,
      deadLetter: false,
    });
    await bus.publish('orders', 1, { delivery: 'at-least-once' });
    expect(await told.until(2)).toEqual(['error', 'dropped:failed']);
    expect(broker.deadLetters('orders', 'g')).toHaveLength(0);
  });
});

describe('a handler that steers its message', () => {
  it.each(['at-most-once', 'at-least-once'] as const)('%s: asks for another attempt', async (delivery) => {
    const bus = await started();
    const attempts = new Inbox<number>();
    const steer = (_: unknown, ctx: DiscoMessageContext) => {
      attempts.push(ctx.attempt);
      if (ctx.attempt < 3) ctx.retry({ delay: 1 });
    };
    await bus.subscribe('orders', steer, { delivery, retry: quick });
    await bus.publish('orders', 1, { delivery });
    expect(await attempts.until(3)).toEqual([1, 2, 3]);
  });

  it('gives its message up', async () => {
    const { metrics, told } = keepingMetrics();
    const broker = new MemoryBroker();
    const bus = await started({ metrics, driver: memoryDriver({ broker }) });
    await bus.subscribe('orders', (_, ctx) => ctx.terminate('stale'), {
      delivery: 'at-least-once',
      group: 'g',
    });
    await bus.publish('orders', 1, { delivery: 'at-least-once' });
    expect(await told.until(2)).toEqual(['dead_letter', 'dead:terminated']);
    expect(broker.deadLetters('orders', 'g')).toHaveLength(1);
  });

  it('is told when it asks for a delay that is none', async () => {
    const bus = await started();
    const errors = new Inbox<unknown>();
    await bus.subscribe('orders', (_, ctx) => {
      try {
        ctx.retry({ delay: -1 });
      } catch (error) {
        errors.push(error);
      }
    });
    await bus.publish('orders', 1);
    expect(await errors.until(1)).toEqual([code('DISCO_CONFIGURATION')]);
  });
});

describe('bytes that are no message', () => {
  const frame = (body: string, codec = 0, compression = 0) =>
    encodeFrame({ id: 'x', timestamp: 1, headers: noHeaders, codec, compression, body });

  it.each([
    ['foreign bytes', Buffer.from('hello')],
    ['an unknown version', Buffer.from([0xd1, 0x5c, 9, 0, 0])],
    ['a truncated frame', frame('{"a":1}').subarray(0, 12)],
    ['a truncated bundle', Buffer.from([0xd1, 0x5c, 1, 0x80, 50, 1, 2])],
    ['no JSON', frame('{')],
    ['a body above the limit', frame(JSON.stringify('x'.repeat(2_000)))],
    ['an unknown codec', frame('1', 6)],
    ['an unknown compression', frame('1', 0, 3)],
    ['no gzip', frame('1', 0, 1)],
    ['hostile JSON', frame('{"__proto__":{"polluted":true}}')],
    ['deep JSON', frame('['.repeat(100) + ']'.repeat(100))],
  ])(
    '%s: counted and given up at once, at most and at least once, and the consumer lives',
    async (_, bytes) => {
      for (const delivery of ['at-most-once', 'at-least-once'] as const) {
        const { metrics, told } = keepingMetrics();
        const broker = new MemoryBroker();
        const bus = await started({ metrics, driver: memoryDriver({ broker }), maxMessageSize: 1_000 });
        const inbox = new Inbox<unknown>();
        await bus.subscribe('orders', (payload) => inbox.push(payload), { delivery, group: 'g' });
        const foreign = memoryDriver({ broker });
        await foreign.connect();
        await foreign.publish('orders', bytes, { delivery, id: 'foreign', timeoutMs: 1_000 });
        await bus.publish('orders', 'fine', { delivery });
        expect(await inbox.until(1)).toEqual(['fine']);
        await told.until(3);
        expect(told.items).toContain(
          delivery === 'at-least-once' ? 'dead:undecodable' : 'dropped:undecodable',
        );
        expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
        await foreign.close();
      }
    },
  );
});
