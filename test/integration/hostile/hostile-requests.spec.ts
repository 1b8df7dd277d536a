import { randomUUID } from 'node:crypto';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { joinBundle } from '../../../lib/message/bundle.js';
import { expectStill, Stillness } from './stillness.js';
import { frameWith, useEngines, victim } from './victim.js';

const STILL_MS = 50;
const REPEATS = 50;
const FLOOD = 4_000;
const timeout = '25s';
/** An inbox that nobody listens to. */
const NOBODY = 'a'.repeat(32);

const use = useEngines();
const guarantees: readonly DeliveryGuarantee[] = ['at-most-once', 'at-least-once'];
const engines: [string, () => DiscoDriver][] = [
  ['memory', use.memory],
  ['Redis', use.redis],
];
const ways = engines.flatMap(([name, driver]) =>
  guarantees.map((delivery) => ({ name, delivery, driver }) as const),
);
type Way = (typeof ways)[number];

/** A bus that answers. */
const stage = (way: Way) =>
  victim(use, way, (payload, outcomes) => {
    if (payload !== 'good') outcomes.push('handled');
    return payload;
  });

const hex128 = () => randomUUID().replaceAll('-', '');

/** A frame that says it is a request. */
function request(headers: object, body = '1'): Uint8Array {
  const envelope = { id: hex128(), time: 1, 'x-reply-to': NOBODY, 'x-timeout': '20000', ...headers };
  return frameWith(envelope, body);
}

/** Sends what `make` makes so many times, and asks; returns the outcomes and the longest stop of the event loop. */
async function attack(way: Way, make: () => Uint8Array, times: number, count: number) {
  const { bus, outcomes, send } = await stage(way);
  const frames = Array.from({ length: times }, make);
  const stillness = new Stillness();
  for (const frame of frames) await send(frame);
  expect(await bus.request('t', 'good', { timeout })).toBe('good');
  await outcomes.until(count);
  const stillMs = stillness.end();
  await bus.drain();
  return { outcomes: [...outcomes.items], stillMs };
}

const cases: [name: string, outcome: string, make: () => Uint8Array][] = [
  ['an empty reply address', 'refused', () => request({ 'x-reply-to': '' })],
  ['a reply address that is a topic', 'refused', () => request({ 'x-reply-to': 'orders' })],
  ['a reply address with wildcards', 'refused', () => request({ 'x-reply-to': '*.>' })],
  ['a reply address that leads elsewhere', 'refused', () => request({ 'x-reply-to': `../${NOBODY}` })],
  ['a reply address with a line break', 'refused', () => request({ 'x-reply-to': `${NOBODY}\n` })],
  ['a reply address of 32 KB', 'refused', () => request({ 'x-reply-to': 'a'.repeat(32 * 1024) })],
  ['a reply address of 256 KB', 'undecodable', () => request({ 'x-reply-to': 'a'.repeat(256 * 1024) })],
  ['an id of the wrong form', 'refused', () => request({ 'x-reply-id': 'x'.repeat(32) })],
  ['an id that is empty', 'refused', () => request({ 'x-reply-id': '' })],
  ['an id that every object has', 'refused', () => request({ 'x-reply-id': '__proto__' })],
  ['no deadline', 'refused', () => request({ 'x-timeout': undefined })],
  ['a deadline of NaN', 'refused', () => request({ 'x-timeout': 'NaN' })],
  ['a negative deadline', 'refused', () => request({ 'x-timeout': '-1' })],
  ['a deadline beyond a timer', 'refused', () => request({ 'x-timeout': '9'.repeat(15) })],
  ['a deadline beyond a number', 'refused', () => request({ 'x-timeout': '9'.repeat(400) })],
  ['a deadline in hexadecimal', 'refused', () => request({ 'x-timeout': '0x10' })],
  ['a deadline that is over', 'expired', () => request({ 'x-timeout': '0' })],
  ['a header that is a number', 'undecodable', () => request({ 'x-reply-to': 7 })],
  ['a header that is an object', 'undecodable', () => request({ 'x-timeout': { valueOf: 1 } })],
  ['a payload that cannot be read', 'undecodable', () => request({ 'x-reply-id': NOBODY }, '{"a":')],
  ['an inbox that nobody listens to', 'handled', () => request({ 'x-reply-id': NOBODY })],
];

describe.each(ways)('Requests that are none, over $name, $delivery,', (way) => {
  it.each(cases)('%s: %s, and the next request is answered', async (_name, outcome, make) => {
    const times = make().length > 64 * 1024 ? 1 : REPEATS;
    await expectStill(STILL_MS, async () => {
      const { outcomes, stillMs } = await attack(way, make, times, times);
      expect(outcomes).toEqual(Array(times).fill(outcome));
      return stillMs;
    });
  });

  it('a header of 1 MB stops nothing, and the next request is answered', async () => {
    await expectStill(STILL_MS, async () => {
      const { outcomes, stillMs } = await attack(way, () => request({ big: 'x'.repeat(1024 * 1024) }), 1, 1);
      expect(outcomes).toHaveLength(1);
      return stillMs;
    });
  });

  it.each([
    ['of the wrong form', 'refused', { 'x-timeout': 'NaN' }],
    ['to nobody', 'handled', {}],
  ])(`${FLOOD} in one bundle %s stop nothing`, async (_name, outcome, headers) => {
    const bundle = () => joinBundle(Array.from({ length: FLOOD }, () => request(headers)));
    await expectStill(STILL_MS, async () => {
      const { outcomes, stillMs } = await attack(way, bundle, 1, FLOOD);
      expect(outcomes.length).toBe(FLOOD);
      expect(new Set(outcomes)).toEqual(new Set([outcome]));
      return stillMs;
    });
  });
});
