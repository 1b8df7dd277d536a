import type { DiscoBatchContext } from '../../../lib/bus/consume/batch.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { buses, gate, Inbox } from './support.js';

const { started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });
const durable = { delivery: 'at-least-once' } as const;
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 1 } } as const;

describe('batch handlers', () => {
  it('are called with as many messages as fit, in order', async () => {
    const bus = await started();
    const calls = new Inbox<number[]>();
    await bus.subscribe('orders', (payloads) => calls.push(payloads), {
      batch: { size: 4, linger: '1m' },
      concurrency: 1,
    });
    await bus.publishBatch('orders', [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await calls.until(2)).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
  });

  it('do not wait longer than told for a batch to fill', async () => {
    const clock = new ManualClock();
    const bus = await started({ clock });
    const calls = new Inbox<number[]>();
    const arrived = gate();
    const notice = () => (next: (context: never) => unknown) => (context: never) => {
      arrived.open();
      return next(context);
    };
    await bus.subscribe('orders', (payloads) => calls.push(payloads), {
      batch: { size: 4, linger: 50 },
      middleware: [notice() as never],
    });
    await bus.publish('orders', 1);
    await arrived.promise;
    await clock.advance(49);
    expect(calls.items).toEqual([]);
    await clock.advance(1);
    expect(calls.items).toEqual([[1]]);
  });

  it('decide on each message by itself', async () => {
    const bus = await started({ service: 'g' });
    const seen = new Inbox<string>();
    const handler = (payloads: string[], { messages }: DiscoBatchContext) => {
      payloads.forEach((payload, index) => {
        seen.push(`${payload}${messages[index].attempt}`);
        if (payload === 'retry' && messages[index].attempt === 1) messages[index].retry({ delay: 1 });
        if (payload === 'bad') messages[index].terminate('bad');
      });
    };
    await bus.subscribe('orders', handler, { ...durable, batch: { size: 3, linger: 5 }, retry: quick });
    await bus.publishBatch('orders', ['good', 'retry', 'bad'], durable);
    expect((await seen.until(4)).sort()).toEqual(['bad1', 'good1', 'retry1', 'retry2']);
    const letters = await bus.deadLetters('orders').peek();
    expect(letters.map((letter) => letter.message?.payload)).toEqual(['bad']);
  });

  it('fail all their messages when they throw', async () => {
    const bus = await started();
    const seen = new Inbox<string>();
    let fails = true;
    const handler = (payloads: string[], { messages }: DiscoBatchContext) => {
      payloads.forEach((payload, index) => void seen.push(`${payload}${messages[index].attempt}`));
      if (!fails) return;
      fails = false;
      throw new Error('no');
    };
    await bus.subscribe('orders', handler, { ...durable, batch: { size: 2, linger: 5 }, retry: quick });
    await bus.publishBatch('orders', ['a', 'b'], durable);
    expect((await seen.until(4)).sort()).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  it('run as many batches at a time as their concurrency', async () => {
    const bus = await started();
    let running = 0;
    let most = 0;
    const done = new Inbox<number>();
    const handler = async (payloads: number[]) => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      payloads.forEach((payload) => void done.push(payload));
    };
    await bus.subscribe('orders', handler, { batch: { size: 5, linger: 1 }, concurrency: 2 });
    await bus.publishBatch(
      'orders',
      Array.from({ length: 50 }, (_, n) => n),
    );
    await done.until(50);
    expect(most).toBe(2);
  });

  it.each([{ size: 0 }, { size: 1.5 }, { size: 10_001 }, { size: 5, linger: '2m' as const }])(
    'refuse the options %p',
    async (batch) => {
      const bus = await started();
      await expect(bus.subscribe('orders', () => {}, { batch })).rejects.toThrow(code('DISCO_CONFIGURATION'));
    },
  );
});

describe('a handler behind a schema', () => {
  it('still steers its message, and sees its signal', async () => {
    const { z } = await import('zod');
    const bus = await started({ service: 'g' });
    const attempts = new Inbox<number>();
    const steer = (
      _: unknown,
      ctx: { attempt: number; signal: AbortSignal; retry(options: { delay: number }): void },
    ) => {
      attempts.push(ctx.attempt);
      expect(ctx.signal.aborted).toBe(false);
      if (ctx.attempt === 1) ctx.retry({ delay: 1 });
    };
    await bus.subscribe('orders', steer, { ...durable, schema: z.number(), retry: quick });
    await bus.publish('orders', 1, durable);
    expect(await attempts.until(2)).toEqual([1, 2]);
  });
});
