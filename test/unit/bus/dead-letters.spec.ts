import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { buses, Inbox } from './support.js';

const { started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });
const durable = { delivery: 'at-least-once' } as const;

/** A bus whose group `g` gives up every message of `orders` at once while `poison.fails`. */
async function failing() {
  const poison = { fails: true };
  const handled = new Inbox<unknown>();
  const given = new Inbox<unknown>();
  const broker = new MemoryBroker();
  const bus = await started({ driver: memoryDriver({ broker }), service: 'g' });
  await bus.subscribe(
    'orders',
    (payload, ctx) => {
      handled.push({ payload, attempt: ctx.attempt });
      if (!poison.fails) return;
      given.push(payload);
      throw new TypeError('bad luck');
    },
    { ...durable, retry: false },
  );
  return { bus, broker, poison, handled, given };
}

async function untilCount(bus: DiscoBus, count: number): Promise<void> {
  while ((await bus.deadLetters('orders').count()) !== count) await new Promise(setImmediate);
}

describe('dead letters', () => {
  it('are counted, and shown with what became of them', async () => {
    const { bus } = await failing();
    const { id } = await bus.publish('orders', { n: 1 }, { ...durable, headers: { tenant: 'a' } });
    await untilCount(bus, 1);
    const [letter] = await bus.deadLetters('orders').peek();
    expect(letter).toMatchObject({
      reason: 'attempts',
      error: { name: 'TypeError', message: 'bad luck' },
      attempts: 1,
      replays: 0,
      message: { id, topic: 'orders', payload: { n: 1 } },
    });
    expect({ ...letter.message?.headers }).toEqual({
      tenant: 'a',
      'x-dead-letter-reason': 'attempts',
      'x-original-topic': 'orders',
      'x-original-group': 'g',
      'x-original-id': id,
      'x-failed-at': new Date(letter.failedAt).toISOString(),
      'x-attempts': '1',
      'x-error-name': 'TypeError',
      'x-error-message': 'bad luck',
    });
  });

  it('are shown page by page', async () => {
    const { bus } = await failing();
    for (let n = 0; n < 5; n++) await bus.publish('orders', n, durable);
    await untilCount(bus, 5);
    const queue = bus.deadLetters('orders');
    const first = await queue.peek({ limit: 2 });
    const rest = await queue.peek({ after: first[1].position });
    expect([...first, ...rest].map((letter) => letter.message?.payload)).toEqual([0, 1, 2, 3, 4]);
    expect(await queue.peek({ after: rest[2].position })).toEqual([]);
    expect((await queue.find(rest[0].position))?.message?.payload).toBe(2);
    await queue.remove(rest[0].position);
    expect(await queue.find(rest[0].position)).toBeUndefined();
  });

  it('are shown raw where their bytes cannot be read', async () => {
    const { bus, broker } = await failing();
    const foreign = memoryDriver({ broker });
    await foreign.connect();
    await foreign.publish('orders', Buffer.from('hello'), { ...durable, id: 'x', timeoutMs: 1_000 });
    await untilCount(bus, 1);
    const [letter] = await bus.deadLetters('orders').peek();
    expect(letter).toMatchObject({ reason: 'undecodable', message: undefined });
    expect(Buffer.from(letter.frame).toString()).toBe('hello');
    await foreign.close();
  });

  it('are replayed one by one, to their group, as first attempts', async () => {
    const { bus, poison, handled } = await failing();
    await bus.publish('orders', 'a', durable);
    await untilCount(bus, 1);
    const queue = bus.deadLetters('orders', 'g');
    const [letter] = await queue.peek();
    poison.fails = false;
    expect(await queue.replay(letter.position)).toBe(true);
    expect(await queue.replay(letter.position)).toBe(false);
    expect((await handled.until(2))[1]).toEqual({ payload: 'a', attempt: 1 });
    expect(await queue.count()).toBe(0);
  });

  it('are replayed with another payload or other headers: the same id, marked as edited, in log and audit', async () => {
    const { bus, poison, handled } = await failing();
    await bus.publish('orders', { n: 'x' }, durable);
    await untilCount(bus, 1);
    poison.fails = false;
    const queue = bus.deadLetters('orders');
    const [{ position }] = await queue.peek();
    await bus.subscribe('orders', () => undefined, { ...durable, group: 'other' });
    expect(
      await queue.replayEdited(position, { payload: { n: 1 }, headers: { fixed: 'yes' }, by: 'ada' }),
    ).toBe(true);
    expect((await handled.until(2))[1]).toEqual({ payload: { n: 1 }, attempt: 1 });
    expect(await queue.replayEdited(position, { payload: { n: 1 } })).toBe(false);
    expect(await bus.admin.audited()).toMatchObject([
      { by: 'ada', action: 'replay edited dead letter', topic: 'orders', group: 'g', messages: 1 },
    ]);
    poison.fails = true;
    const { id } = await bus.publish('orders', { n: 2 }, { ...durable, headers: { tenant: 'a' } });
    await untilCount(bus, 1);
    const [second] = await queue.peek();
    await queue.replayEdited(second.position, { headers: { fixed: 'yes' }, by: 'ada' });
    await handled.until(4);
    await untilCount(bus, 1);
    const [third] = await queue.peek();
    expect(third).toMatchObject({ replays: 1, message: { id, payload: { n: 2 } } });
    expect({ ...third.message?.headers }).toMatchObject({
      tenant: 'a',
      fixed: 'yes',
      'x-edited-by': 'ada',
      'x-edited-at': expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it('stay where they are when an edit cannot be written', async () => {
    const { bus } = await failing();
    await bus.publish('orders', { n: 1 }, durable);
    await untilCount(bus, 1);
    const queue = bus.deadLetters('orders');
    const [{ position }] = await queue.peek();
    const large = 'x'.repeat(40 * 1024 * 1024);
    await expect(queue.replayEdited(position, { payload: large })).rejects.toThrow(
      code('DISCO_MESSAGE_TOO_LARGE'),
    );
    await expect(queue.replayEdited(position, { payload: 1n })).rejects.toThrow(code('DISCO_CODEC'));
    await expect(queue.replayEdited(position, {})).rejects.toThrow(code('DISCO_CONFIGURATION'));
    expect(await queue.count()).toBe(1);
    expect(await bus.admin.audited()).toEqual([]);
  });

  it('leave a line in the log and an entry in the audit when they are replayed, removed or purged', async () => {
    const { bus, poison } = await failing();
    for (let n = 0; n < 4; n++) await bus.publish('orders', { n }, durable);
    await untilCount(bus, 4);
    poison.fails = false;
    const queue = bus.deadLetters('orders');
    const [first, second] = await queue.peek();
    await queue.remove(first.position, { by: 'ada' });
    await queue.replay(second.position);
    await queue.replayAll({ filter: ({ position }) => position === second.position });
    await queue.purge({ by: 'ada' });
    const told = (await bus.admin.audited()).map(({ by, action, messages }) => [by, action, messages]);
    expect(told).toEqual([
      ['ada', 'purge dead letters', 2],
      ['g', 'replay dead letter', 1],
      ['ada', 'remove dead letter', 1],
    ]);
  });

  it('are shown by the reason for which they were given up', async () => {
    const { bus } = await failing();
    for (let n = 0; n < 3; n++) await bus.publish('orders', { n }, durable);
    await untilCount(bus, 3);
    const queue = bus.deadLetters('orders');
    expect(await queue.peek({ reason: 'attempts', limit: 2 })).toHaveLength(2);
    expect(await queue.peek({ reason: 'expired' })).toEqual([]);
  });

  it('are replayed by filter', async () => {
    const { bus, poison, handled } = await failing();
    for (const payload of ['a', 'b', 'c']) await bus.publish('orders', payload, durable);
    await untilCount(bus, 3);
    poison.fails = false;
    const filter = (letter: { message?: { payload: unknown } }) => letter.message?.payload !== 'b';
    expect(await bus.deadLetters('orders').replayAll({ filter, rate: 10_000 })).toEqual({
      replayed: 2,
      capped: 0,
    });
    await handled.until(5);
    expect((await bus.deadLetters('orders').peek()).map((letter) => letter.message?.payload)).toEqual(['b']);
  });

  it('stop being replayed at the cap: poison does not circle', async () => {
    const { bus, given } = await failing();
    await bus.publish('orders', 'poison', durable);
    for (let round = 1; round <= 3; round++) {
      await untilCount(bus, 1);
      expect(await bus.deadLetters('orders').replayAll()).toEqual({ replayed: 1, capped: 0 });
      await given.until(round + 1);
    }
    await untilCount(bus, 1);
    expect(await bus.deadLetters('orders').replayAll()).toEqual({ replayed: 0, capped: 1 });
    expect(await bus.deadLetters('orders').count()).toBe(1);
  });

  it('are replayed no faster than told, until aborted', async () => {
    const { bus, poison, handled } = await failing();
    for (let n = 0; n < 3; n++) await bus.publish('orders', n, durable);
    await untilCount(bus, 3);
    poison.fails = false;
    const controller = new AbortController();
    const replaying = bus.deadLetters('orders').replayAll({ rate: 0.001, signal: controller.signal });
    await handled.until(4);
    controller.abort();
    expect(await replaying).toEqual({ replayed: 1, capped: 0 });
  });

  it('are removed and purged', async () => {
    const { bus } = await failing();
    for (let n = 0; n < 3; n++) await bus.publish('orders', n, durable);
    await untilCount(bus, 3);
    const queue = bus.deadLetters('orders');
    const [letter] = await queue.peek();
    expect(await queue.remove(letter.position)).toBe(true);
    expect(await queue.remove(letter.position)).toBe(false);
    expect(await queue.purge()).toBe(2);
    expect(await queue.count()).toBe(0);
  });

  it('refuse an unknown topic or group, and options that cannot be', async () => {
    const { bus } = await failing();
    await expect(bus.deadLetters('other').count()).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(bus.deadLetters('orders', 'nobody').count()).rejects.toThrow(code('DISCO_CONFIGURATION'));
    expect(() => bus.deadLetters('')).toThrow(code('DISCO_TOPIC_INVALID'));
    const queue = bus.deadLetters('orders');
    for (const limit of [0, 1_001, 1.5])
      await expect(queue.peek({ limit })).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(queue.replayAll({ rate: 0 })).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(queue.replayAll({ maxReplays: 0 })).rejects.toThrow(code('DISCO_CONFIGURATION'));
  });
});
