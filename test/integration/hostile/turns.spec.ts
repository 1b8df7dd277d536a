import { BundlingDriver } from '../../../lib/bundling/bundling-driver.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { joinBundle } from '../../../lib/message/bundle.js';
import { startFrame } from '../../../lib/message/frame.js';
import { Inbox } from '../../unit/bus/support.js';
import { expectStill, Stillness } from './stillness.js';

const STILL_MS = 50;
const MESSAGES = 4_000;
/** What a subscriber takes for one message: all of a bundle take 0.4 s. */
const WORK_MS = 0.1;

function work(): void {
  const untilMs = performance.now() + WORK_MS;
  while (performance.now() < untilMs);
}

const frame = (n: number) => startFrame(`{"id":"a-${n}","time":1}`, 0, 0);

/** Hands a bundle to a subscriber that works at once; returns the longest stop of the event loop. */
async function attack(maxInFlight: number): Promise<number> {
  const driver = new BundlingDriver(memoryDriver());
  await driver.connect();
  const delivery: DeliveryGuarantee = 'at-least-once';
  const seen = new Inbox<string>();
  const options = { delivery, group: 'g', startFrom: 'beginning', maxInFlight } as const;
  const subscription = await driver.subscribe('t', options, (each) => {
    work();
    seen.push(each.decoded?.id ?? String(each.frame));
    void each.ack();
  });
  const bundle = joinBundle(Array.from({ length: MESSAGES }, (_, n) => frame(n)));
  const stillness = new Stillness();
  const published = driver.publish('t', bundle, { delivery, id: 'b-1', timeoutMs: 30_000 });
  await Promise.all([published, seen.until(MESSAGES)]).finally(() => stillness.end());
  const stillMs = stillness.end();
  await subscription.close();
  await driver.close();
  expect(seen.items).toHaveLength(MESSAGES);
  expect(seen.items).toEqual(seen.items.toSorted(byNumber));
  return stillMs;
}

const numberIn = (text: string) => Number(/a-(\d+)/.exec(text)?.[1]);
const byNumber = (left: string, right: string) => numberIn(left) - numberIn(right);

describe('A stored bundle whose subscriber takes long for all of it', () => {
  it.each([
    ['all at once', MESSAGES],
    ['a few at a time', 16],
  ])('handed over %s: no stop, in order', async (_, maxInFlight) => {
    await expectStill(STILL_MS, () => attack(maxInFlight));
  });
});
