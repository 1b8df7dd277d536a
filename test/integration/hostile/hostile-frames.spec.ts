import { Redis } from 'ioredis';
import { Inbox } from '../../unit/bus/support.js';
import { type HostileFrame, hostileFrames } from './hostile-frames.js';
import { expectStill, Stillness } from './stillness.js';
import { useEngines, type VictimWay, victim } from './victim.js';

/** More than the places of a subscription: were each lost to a hostile frame, it would be deaf. */
const REPEATS = 50;
/** What is larger is sent once. */
const LARGE_BYTES = 16 * 1024;
const STILL_MS = 50;

const use = useEngines();
let admin: Redis;
beforeAll(() => {
  admin = new Redis(use.redisUrl());
});
afterAll(() => admin.disconnect());

interface Way extends VictimWay {
  readonly name: string;
  readonly stored: boolean;
}

const ways: readonly Way[] = [
  {
    name: 'memory, at most once',
    delivery: 'at-most-once',
    driver: use.memory,
    stored: false,
  },
  {
    name: 'memory, at least once',
    delivery: 'at-least-once',
    driver: use.memory,
    stored: false,
  },
  {
    name: 'Redis pub/sub',
    delivery: 'at-most-once',
    driver: use.redis,
    stored: false,
  },
  {
    name: 'Redis Streams',
    delivery: 'at-least-once',
    driver: use.redis,
    stored: true,
  },
];

/** A bus that listens. */
async function stage(way: Way) {
  const handled = new Inbox<unknown>();
  const parts = await victim(use, way, (payload, outcomes) => {
    if (payload === 'good') handled.push(payload);
    else outcomes.push('handled');
  });
  return { ...parts, handled };
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
    await expectStill(frame.stillMs ?? STILL_MS, () => attack(way, frame));
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
