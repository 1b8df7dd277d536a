import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { buses, gate, Inbox } from './support.js';

const { started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });
const durable = { delivery: 'at-least-once' } as const;
const quick = { attempts: 3, backoff: { type: 'fixed', delay: 1 } } as const;

/** Runs messages `[key, n]` with a random number of turns each, and checks that no key ever runs twice at a time. */
function watched() {
  const done = new Inbox<[string, number]>();
  const running = new Set<string>();
  let most = 0;
  const handler = async ([key, n]: [string, number]) => {
    expect(running.has(key)).toBe(false);
    running.add(key);
    most = Math.max(most, running.size);
    for (let turns = Math.floor(Math.random() * 4); turns > 0; turns--) await new Promise(setImmediate);
    running.delete(key);
    done.push([key, n]);
  };
  return { handler, done, most: () => most };
}

function expectInOrder(handled: [string, number][], keys: string[], each: number): void {
  for (const key of keys) {
    expect(handled.filter(([of]) => of === key).map(([, n]) => n)).toEqual(
      Array.from({ length: each }, (_, n) => n),
    );
  }
}

describe.each(['at-most-once', 'at-least-once'] as const)('orderBy key, %s', (delivery) => {
  it('handles one key in order and never in parallel, other keys beside it', async () => {
    const bus = await started();
    const { handler, done, most } = watched();
    await bus.subscribe('orders', handler, { delivery, orderBy: 'key', concurrency: 4 });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (let n = 0; n < 20; n++) {
      await Promise.all(keys.map((key) => bus.publish('orders', [key, n], { delivery, key })));
    }
    expectInOrder(await done.until(120), keys, 20);
    expect(most()).toBe(4);
  });

  it('retries in place: nothing of the key overtakes, other keys go on', async () => {
    const bus = await started();
    const seen = new Inbox<string>();
    const handler = (payload: string, ctx: DiscoMessageContext) => {
      seen.push(`${payload}${ctx.attempt}`);
      if (payload === 'a-bad' && ctx.attempt < 3) throw new Error('no');
      if (payload === 'a-again' && ctx.attempt < 2) ctx.retry({ delay: 1 });
    };
    await bus.subscribe('orders', handler, { delivery, orderBy: 'key', retry: quick });
    for (const payload of ['a-bad', 'a-again', 'a-last', 'b-only']) {
      await bus.publish('orders', payload, { delivery, key: payload[0] });
    }
    const handled = await seen.until(7);
    expect(handled.filter((each) => each.startsWith('a'))).toEqual([
      'a-bad1',
      'a-bad2',
      'a-bad3',
      'a-again1',
      'a-again2',
      'a-last1',
    ]);
    expect(handled.indexOf('b-only1')).toBeLessThan(handled.indexOf('a-last1'));
  });

  it('keeps the order also where one message takes longer to decode than the next', async () => {
    const bus = await started();
    const done = new Inbox<number>();
    await bus.subscribe('orders', (payload) => done.push(payload.length), { delivery, orderBy: 'key' });
    const sizes = [900_000, 1, 400_000, 2];
    await Promise.all(sizes.map((size) => bus.publish('orders', 'x'.repeat(size), { delivery, key: 'k' })));
    expect(await done.until(4)).toEqual(sizes);
  });

  it('lets messages without a key run freely', async () => {
    const bus = await started();
    const [first, second] = [gate(), gate()];
    await bus.subscribe(
      'orders',
      async (payload) => {
        if (payload === 1) await second.promise;
        else second.open();
        first.open();
      },
      { delivery, orderBy: 'key' },
    );
    await bus.publishBatch('orders', [1, 2], { delivery });
    await first.promise;
  });
});

describe('orderBy key and dead letters', () => {
  it.each([
    [
      'an error',
      () => {
        throw new Error('never');
      },
      3,
    ],
    [
      'what is no error',
      () => {
        throw 'never' as unknown as Error;
      },
      3,
    ],
    ['the wish for more', (ctx: DiscoMessageContext) => ctx.retry({ delay: 1 }), 3],
    ['being told to stop', (ctx: DiscoMessageContext) => ctx.attempt === 2 && ctx.terminate('enough'), 2],
  ])('tells of all attempts in place after %s', async (_, handle, attempts) => {
    const bus = await started();
    const options = { ...durable, group: 'g', orderBy: 'key', retry: quick } as const;
    const handler = (_payload: unknown, ctx: DiscoMessageContext) => {
      if (ctx.attempt === 1 && attempts === 2) throw new Error('first');
      handle(ctx);
    };
    await bus.subscribe('orders', handler, options);
    await bus.publish('orders', 'm', { ...durable, key: 'k' });
    const letters = bus.deadLetters('orders', 'g');
    while ((await letters.count()) === 0) await new Promise(setImmediate);
    expect(await letters.peek()).toEqual([expect.objectContaining({ attempts })]);
  });
});

describe('orderBy key across the members of a group', () => {
  it('has one of them read at a time; the next one follows, in order', async () => {
    const broker = new MemoryBroker();
    const make = () => started({ driver: memoryDriver({ broker }), service: 'g' });
    const [first, second] = [await make(), await make()];
    const handled = new Inbox<string>();
    const handler = (name: string) => (n: number) => void handled.push(`${name}${n}`);
    const options = { ...durable, orderBy: 'key' } as const;
    const subscription = await first.subscribe('orders', handler('first'), options);
    await second.subscribe('orders', handler('second'), options);
    for (let n = 0; n < 5; n++) await first.publish('orders', n, { ...durable, key: 'k' });
    await handled.until(5);
    await subscription.close();
    for (let n = 5; n < 10; n++) await second.publish('orders', n, { ...durable, key: 'k' });
    expect(await handled.until(10)).toEqual([
      ...[0, 1, 2, 3, 4].map((n) => `first${n}`),
      ...[5, 6, 7, 8, 9].map((n) => `second${n}`),
    ]);
  });

  it('waits with the next one until the former has settled what it had', async () => {
    const broker = new MemoryBroker();
    const make = () => started({ driver: memoryDriver({ broker }), service: 'g' });
    const [first, second] = [await make(), await make()];
    const [running, mayEnd] = [gate(), gate()];
    const handled: string[] = [];
    const done = gate();
    const options = { ...durable, orderBy: 'key', concurrency: 1, prefetch: 0 } as const;
    const subscription = await first.subscribe(
      'orders',
      async (n) => {
        running.open();
        await mayEnd.promise;
        handled.push(`first${n}`);
      },
      options,
    );
    await second.subscribe(
      'orders',
      (n) => (handled.push(`second${n}`) === 2 ? done.open() : undefined),
      options,
    );
    await first.publish('orders', 1, { ...durable, key: 'k' });
    await first.publish('orders', 2, { ...durable, key: 'k' });
    await running.promise;
    const closing = subscription.close();
    await new Promise(setImmediate);
    expect(handled).toEqual([]);
    mayEnd.open();
    await closing;
    await done.promise;
    expect(handled).toEqual(['first1', 'second2']);
  });
});

describe('orderBy', () => {
  it('refuses what cannot be', async () => {
    const bus = await started();
    await expect(bus.subscribe('orders', () => {}, { orderBy: 'id' as 'key' })).rejects.toThrow(
      code('DISCO_CONFIGURATION'),
    );
    await expect(bus.subscribe('orders', () => {}, { orderBy: 'key', batch: { size: 2 } })).rejects.toThrow(
      code('DISCO_CONFIGURATION'),
    );
    for (const key of ['', 'a b', 'x'.repeat(201)]) {
      await expect(bus.publish('orders', 1, { key })).rejects.toThrow(code('DISCO_MESSAGE_INVALID'));
    }
  });
});
