import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { buses, gate } from '../bus/support.js';

/** A request that nobody tells waits for longer than the test. */
const timeout = '10m';
const { started } = buses();
let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

const engines: [string, () => () => DiscoDriver][] = [
  [
    'memory',
    () => {
      const broker = new MemoryBroker();
      return () => memoryDriver({ broker });
    },
  ],
  ['redis', () => () => redisDriver({ url: server.url })],
];
let scenes = 0;

describe.each(engines)('a request to paused subscriptions at most once, on %s,', (_, scene) => {
  let bus: () => Promise<DiscoBus>;
  beforeEach(() => {
    const [driver, prefix] = [scene(), `paused${++scenes}`];
    bus = () => started({ driver: driver(), prefix });
  });
  const failure = (asked: Promise<unknown>) =>
    asked.then(
      (reply) => ({ reply }),
      ({ code }) => code,
    );

  it('is told at once that nobody answers, and is answered after resume', async () => {
    const [asker, responder] = [await bus(), await bus()];
    const subscription = await responder.subscribe('t', () => 'here');
    subscription.pause();
    expect(await failure(asker.request('t', 1, { timeout }))).toBe('DISCO_NO_RESPONDERS');
    const burst = Array.from({ length: 50 }, (_each, n) => failure(asker.request('t', n, { timeout })));
    expect(new Set(await Promise.all(burst))).toEqual(new Set(['DISCO_NO_RESPONDERS']));
    subscription.resume();
    expect(await asker.request('t', 1, { timeout })).toBe('here');
  });

  it('is told also when it is paused while the request is on its way', async () => {
    const one = await bus();
    const subscription = await one.subscribe('t', () => 'here');
    const asked = failure(one.request('t', 1, { timeout }));
    const other = failure(one.request('t', 2, { timeout }));
    await one.publish('else', 0);
    subscription.pause();
    const outcomes = await Promise.all([asked, other, failure(one.request('t', 3, { timeout }))]);
    expect(outcomes.at(-1)).toBe('DISCO_NO_RESPONDERS');
  });

  it.each([
    ['on the same topic', 't.x'],
    ['on a pattern', 't.*'],
  ])('is answered by a subscription of the same bus %s', async (_name, second) => {
    const [asker, responder] = [await bus(), await bus()];
    const begun = gate();
    const answer = gate();
    const first = await responder.subscribe('t.x', () => 'paused');
    await responder.subscribe(second, async () => {
      begun.open();
      await answer.promise;
      return 'here';
    });
    first.pause();
    const asked = failure(asker.request('t.x', 1, { timeout }));
    await begun.promise;
    // What the paused one would say is on its way before this reply.
    await asker.publish('else', 0);
    await responder.publish('else', 0);
    answer.open();
    expect(await asked).toEqual({ reply: 'here' });
  });

  it('fails once all of them are paused, on one bus and on another one, by name and by pattern', async () => {
    const [asker, left, right] = [await bus(), await bus(), await bus()];
    const opened = [
      await left.subscribe('t.x', () => 'a'),
      await left.subscribe('t.x', () => 'b'),
      await left.subscribe('t.*', () => 'c'),
    ];
    const begun = gate();
    const answer = gate();
    const last = await right.subscribe('t.x', async () => {
      begun.open();
      await answer.promise;
      return 'd';
    });
    for (const each of opened) each.pause();
    const asked = failure(asker.request('t.x', 1, { timeout }));
    await begun.promise;
    // What the paused ones say is on its way before this reply.
    await left.publish('else', 0);
    await left.publish('else', 0);
    answer.open();
    expect(await asked).toEqual({ reply: 'd' });
    last.pause();
    expect(await failure(asker.request('t.x', 1, { timeout }))).toBe('DISCO_NO_RESPONDERS');
  });

  it('misses what is no request in silence', async () => {
    const [asker, responder] = [await bus(), await bus()];
    const told: unknown[] = [];
    responder.onStatus((status) => status.type === 'dropped' && told.push(status));
    const handled: unknown[] = [];
    const subscription = await responder.subscribe('t', (payload) => void handled.push(payload));
    subscription.pause();
    await asker.publish('t', 'missed');
    expect(await failure(asker.request('t', 1, { timeout }))).toBe('DISCO_NO_RESPONDERS');
    subscription.resume();
    await asker.request('t', 'asked', { timeout: '50ms' }).catch(() => {});
    expect([handled, told]).toEqual([['asked'], []]);
  });
});
