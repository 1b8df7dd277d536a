import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { RedisServer } from '../../support/redis-server.js';
import { Inbox, KeepingLogger } from '../../unit/bus/support.js';
import { type HostileFrame, hostileFrames } from './hostile-frames.js';
import { Stillness } from './stillness.js';

/** More than the places of a subscription: were each lost to a hostile frame, it would be deaf. */
const REPEATS = 50;
/** What is larger is sent once. */
const LARGE_BYTES = 16 * 1024;
const STILL_MS = 50;

let redis: RedisServer;
let admin: Redis;
let broker: MemoryBroker;

beforeAll(async () => {
  redis = await RedisServer.start();
  admin = new Redis(redis.url);
  broker = new MemoryBroker();
});
afterAll(async () => {
  admin.disconnect();
  await redis.stop();
});

interface Way {
  readonly name: string;
  readonly delivery: DeliveryGuarantee;
  readonly driver: () => DiscoDriver;
  readonly stored: boolean;
}

const ways: readonly Way[] = [
  {
    name: 'memory, at most once',
    delivery: 'at-most-once',
    driver: () => memoryDriver({ broker }),
    stored: false,
  },
  {
    name: 'memory, at least once',
    delivery: 'at-least-once',
    driver: () => memoryDriver({ broker }),
    stored: false,
  },
  {
    name: 'Redis pub/sub',
    delivery: 'at-most-once',
    driver: () => redisDriver({ url: redis.url }),
    stored: false,
  },
  {
    name: 'Redis Streams',
    delivery: 'at-least-once',
    driver: () => redisDriver({ url: redis.url }),
    stored: true,
  },
];

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

/** One bus that listens, and a driver beside it that sends whatever bytes it is given. */
async function stage({ driver, delivery }: Way) {
  const prefix = `h${randomUUID().slice(0, 8)}`;
  const outcomes = new Inbox<string>();
  const note = (outcome: string) => outcomes.push(outcome);
  const topic = { ...noopMetrics.topic('t'), dropped: note, deadLettered: note };
  const bus = new DiscoBus({
    driver: driver(),
    prefix,
    service: 'victim',
    metrics: { ...noopMetrics, topic: () => topic },
    logger: new KeepingLogger(),
    defaults: { delivery, backlog: { limit: 10_000 } },
  });
  open.push({ close: () => bus.stop() });
  await bus.start();
  const handled = new Inbox<unknown>();
  await bus.subscribe('t', (payload) => {
    if (payload === 'good') handled.push(payload);
    else outcomes.push('handled');
  });
  const raw = driver();
  open.push({ close: () => raw.close() });
  await raw.connect({ prefix });
  const send = (bytes: Uint8Array) =>
    raw.publish('t', bytes, { delivery, id: randomUUID(), timeoutMs: 30_000 });
  return { prefix, bus, outcomes, handled, send };
}

/** Sends the frame and a good message behind it; returns the longest stop of the event loop. */
async function attack(way: Way, { bytes, undecodable, handled: fine = 0 }: HostileFrame): Promise<number> {
  const frame = bytes();
  const { prefix, bus, outcomes, handled, send } = await stage(way);
  const times = frame.length > LARGE_BYTES || undecodable > 1 ? 1 : REPEATS;
  const stillness = new Stillness();
  for (let n = 0; n < times; n++) await send(frame);
  await bus.publish('t', 'good');
  await handled.until(1);
  const expected = [
    ...Array(times * fine).fill('handled'),
    ...Array(times * undecodable).fill('undecodable'),
  ];
  expect((await outcomes.until(expected.length)).toSorted()).toEqual(expected);
  const stillMs = stillness.end();
  await bus.drain();
  expect(outcomes.items).toHaveLength(expected.length);
  expect(handled.items).toHaveLength(1);
  if (way.delivery === 'at-least-once') expect(await bus.deadLetters('t').count()).toBe(times * undecodable);
  if (way.stored) await expectNothingPending(prefix);
  return stillMs;
}

async function expectNothingPending(prefix: string): Promise<void> {
  const stream = `${prefix}:{t}`;
  for (const key of [stream, `${stream}:retry:victim`]) {
    expect((await admin.xpending(key, 'victim'))[0]).toBe(0);
  }
}

describe.each(ways)('Over $name', (way) => {
  it.each(hostileFrames)('$name: one outcome, no stop, and what follows is handled', async (frame) => {
    // The machine may be busy with something else, though hardly each time.
    let stillMs = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 3 && stillMs > (frame.stillMs ?? STILL_MS); tries++) {
      stillMs = await attack(way, frame);
    }
    expect(stillMs).toBeLessThanOrEqual(frame.stillMs ?? STILL_MS);
  });
});

describe('Over Redis Streams, entries that no publisher of ours writes', () => {
  const [way] = ways.filter(({ stored }) => stored);
  const good = Buffer.from('d15c0100157b226964223a22612d31222c2274696d65223a317d3122'.slice(0, -2), 'hex');

  it.each([
    ['without our field', ['x', 'y'], 'undecodable'],
    ['with many fields and none of ours', Array.from({ length: 2_000 }, (_, n) => `n${n}`), 'undecodable'],
    ['with an empty frame', ['f', ''], 'undecodable'],
    [
      'with numbers that are none',
      ['f', good, 'a', '-1', 'c', 'nan', 'n', 'inf', 'o', 'x', 'x', 'y', 'r', '{}', 's', 'z'],
      'handled',
    ],
    [
      'with numbers beyond all bounds',
      ['f', good, 'a', '9'.repeat(400), 'n', '1e308', 'o', '9'.repeat(400), 'r', '-1'],
      'handled',
    ],
    ['with a field twice', ['f', good, 'f', good], 'handled'],
  ])('%s: one outcome, and what follows is handled', async (_, fields, outcome) => {
    const { prefix, bus, outcomes, handled } = await stage(way);
    for (let n = 0; n < REPEATS; n++) await admin.xadd(`${prefix}:{t}`, '*', ...fields);
    await bus.publish('t', 'good');
    await handled.until(1);
    if (outcome === 'handled') await outcomes.until(REPEATS);
    await bus.drain();
    expect(await bus.deadLetters('t').count()).toBe(outcome === 'undecodable' ? REPEATS : 0);
    const reasons = (await bus.deadLetters('t').peek()).map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(outcome === 'undecodable' ? ['undecodable'] : []));
    await expectNothingPending(prefix);
  });
});
