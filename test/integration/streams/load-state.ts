import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { until } from '../../support/waiting.js';

export const HOUR_MS = 3_600_000;

/** The first of two processes that read the topic `load` for the group `billing`, and what starts the second. */
export const FIRST_RUNS = 20;
export const SECOND_RUNS = 17;

/** What `first` does with the messages that are there before the second process is. */
const EARLY = ['fail', 'fail', 'fail', 'fail', 'fail', 'refuse', 'refuse', 'refuse'];

/**
 * Brings the topic `load` into its state: for the group `billing` 5 retries that wait, 3 dead letters, and 10,000 messages in
 * bundles, of which 37 run in two processes. The first has begun already, with {@link FIRST_RUNS} places; `startSecond` starts
 * the other one, with {@link SECOND_RUNS}.
 */
export async function putUnderLoad(bus: DiscoBus, startSecond: () => Promise<unknown>): Promise<void> {
  const billing = async () => (await bus.inspect.group('load', 'billing'))!;
  for (const [n, does] of EARLY.entries()) await bus.publish('load', { n, does });
  await until('five wait for their time', async () => (await billing()).retries === 5);
  await until('three are given up', async () => (await billing()).deadLetters.entries === 3);
  await startSecond();
  const many = Array.from({ length: 10_000 }, (_, index) => ({ n: 100 + index }));
  await bus.publishBatch('load', many);
  await until('37 run', async () => (await billing()).running === FIRST_RUNS + SECOND_RUNS);
}
