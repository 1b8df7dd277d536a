import { randomUUID } from 'node:crypto';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { joinBundle } from '../../../lib/message/bundle.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { gate, Inbox, KeepingLogger } from '../../unit/bus/support.js';
import { type HostileFrame, hostileFrames } from './hostile-frames.js';
import { expectStill, Stillness } from './stillness.js';
import { frameWith, useEngines } from './victim.js';

/** Alone, and beside other specs in one process, whose garbage is collected in its turns as well. */
const STILL_MS = process.env.FULL ? 50 : 150;
const timeout = '25s';

const use = useEngines();
const ways: [string, () => DiscoDriver][] = [
  ['memory', use.memory],
  ['Redis pub/sub', use.redis],
];

/** A bus that asks itself, and what somebody needs who has learnt where its replies arrive. */
async function stage(driver: () => DiscoDriver) {
  const prefix = `r${randomUUID().slice(0, 8)}`;
  const options = { prefix, service: 's', logger: new KeepingLogger() };
  const bus = new DiscoBus({
    ...options,
    driver: driver(),
    defaults: { delivery: 'at-most-once', concurrency: 5_000 },
  });
  use.closes({ close: () => bus.stop() });
  await bus.start();
  const stray = new Inbox<string>();
  bus.onStatus((status) => status.type === 'dropped' && stray.push(status.reason));
  const raw = driver();
  use.closes(raw);
  await raw.connect({ prefix });
  const asked = new Inbox<DiscoMessageContext>();
  const answer = gate();
  await bus.subscribe('t', (_: unknown, context: DiscoMessageContext) => {
    asked.push(context);
    return answer.promise.then(() => 'good');
  });
  const send = (bytes: Uint8Array) =>
    raw.publish(`reply:${asked.items[0].headers['x-reply-to']}`, bytes, {
      delivery: 'at-most-once',
      id: randomUUID(),
      timeoutMs: 30_000,
    });
  return { bus, stray, asked, answer, send };
}

const reply = (headers: object, body = '1') => frameWith({ id: 'a-1', time: 1, ...headers }, body);

/** Replies that are none, though they name the request. */
const lies: [string, object][] = [
  ['an unknown kind', { 'x-reply': 'VALUE' }],
  ['a kind that every object has', { 'x-reply': 'constructor' }],
  ['a number without a responder', { 'x-reply': 'last', 'x-reply-seq': '0' }],
  ['a responder without a number', { 'x-reply': 'last', 'x-responder': 'a'.repeat(32) }],
  ['a negative number', { 'x-reply': 'last', 'x-reply-seq': '-1', 'x-responder': 'a'.repeat(32) }],
  [
    'a number beyond all bounds',
    { 'x-reply': 'last', 'x-reply-seq': '9'.repeat(40), 'x-responder': 'a'.repeat(32) },
  ],
  ['a responder that is no name', { 'x-reply': 'last', 'x-reply-seq': '0', 'x-responder': '../x' }],
  ['the request of somebody else', { 'x-reply': 'last', 'x-reply-id': 'b'.repeat(32) }],
];

describe.each(ways)('What arrives where replies do, over %s', (_way, driver) => {
  it.each(hostileFrames)(
    '$name: is stray, stops nothing, and the reply comes',
    async (frame: HostileFrame) => {
      const { bus, stray, asked, answer, send } = await stage(driver);
      const answered = bus.request('t', 1, { timeout });
      await asked.until(1);
      const bytes = frame.bytes();
      const stillness = new Stillness();
      await send(bytes);
      const count = frame.undecodable + (frame.handled ?? 0);
      const seen = await stray.until(count).finally(() => stillness.end());
      answer.open();
      expect(await answered).toBe('good');
      expect(seen).toEqual(Array(count).fill('stray'));
      expect(transportAccess(bus).pendingRequests).toBe(0);
    },
  );

  it.each(lies)('%s: is stray, and the reply comes', async (_name, headers) => {
    const { bus, stray, asked, answer, send } = await stage(driver);
    const answered = bus.request('t', 1, { timeout });
    const [{ id, headers: own }] = await asked.until(1);
    await send(reply({ 'x-reply-id': own['x-reply-id'] ?? id, ...headers }));
    expect(await stray.until(1)).toEqual(['stray']);
    answer.open();
    expect(await answered).toBe('good');
  });

  it('a reply that cannot be read fails its request at once, and no other', async () => {
    const { bus, asked, answer, send } = await stage(driver);
    const failed = bus.request('t', 1, { timeout }).catch((error: unknown) => error);
    const other = bus.request('t', 2, { timeout });
    const contexts = await asked.until(2);
    const first = contexts.find(({ message }) => message.payload === 1) as DiscoMessageContext;
    await send(reply({ 'x-reply-id': first.headers['x-reply-id'] ?? first.id, 'x-reply': 'last' }, '{"a":'));
    expect(await failed).toMatchObject({ code: 'DISCO_REPLY_LOST', reason: 'unreadable' });
    answer.open();
    expect(await other).toBe('good');
  });

  it('2,000 replies that take long to read, to as many requests, stop nothing', async () => {
    const flood = async () => {
      const { bus, asked, answer, send } = await stage(driver);
      const text = JSON.stringify(Array.from({ length: 3_000 }, (_, n) => n));
      const answered = Array.from({ length: 2_000 }, () =>
        // Kept, they would be collected within the turns that are measured.
        bus.request<number[]>('t', 1, { timeout }).then(({ length }) => length),
      );
      const contexts = await asked.until(2_000);
      const ids = contexts.map(({ id, headers }) => headers['x-reply-id'] ?? id);
      const bundles = [];
      for (let at = 0; at < 2_000; at += 50)
        bundles.push(
          joinBundle(
            ids.slice(at, at + 50).map((id) => reply({ 'x-reply-id': id, 'x-reply': 'last' }, text)),
          ),
        );
      const stillness = new Stillness();
      for (const bundle of bundles) void send(bundle);
      expect(new Set(await Promise.all(answered))).toEqual(new Set([3_000]));
      const stillMs = stillness.end();
      answer.open();
      return stillMs;
    };
    await expectStill(STILL_MS, flood);
  });
});
