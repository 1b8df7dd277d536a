// What happens as things grow: this library against itself, where it is small.
import { concurrencyRows } from './growth/concurrency.mjs';
import { inspectionRows } from './growth/inspection.mjs';
import { payloadRows } from './growth/payload.mjs';
import { pollerRows } from './growth/pollers.mjs';
import { publisherRows } from './growth/publishers.mjs';
import { topicRows } from './growth/topics.mjs';

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const rows = [];
  for (const part of [topicRows, pollerRows, inspectionRows, payloadRows, concurrencyRows, publisherRows]) {
    rows.push(...(await part(bench, redis)));
  }
  return rows.map((row) => ({ ...row, suite: 'growth' }));
}
