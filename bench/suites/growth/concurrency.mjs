// 1 to 1,000 handlers of one subscription running at a time, each for 20 ms, at least once: how near to the ideal.
import { Pipeline } from '../../harness/pipeline.mjs';
import { row } from '../../harness/report.mjs';
import { median } from '../../harness/statistics.mjs';

const WORK_MS = 20;
const levels = [1, 10, 100, 1_000];
const numbers = new Intl.NumberFormat('en');

/** Messages/s, against concurrency / 20 ms: what would be reached if nothing but the handlers took time. */
export async function concurrencyRows(bench, redis) {
  const rows = [];
  for (const concurrency of bench.quick ? levels.slice(0, 1) : levels) {
    const options = { delivery: 'at-least-once', workMs: WORK_MS, concurrency };
    const pipeline = await Pipeline.start(redis, 'disco-topics', options);
    try {
      rows.push(rowOf(concurrency, await rates(bench, pipeline, concurrency)));
    } finally {
      await pipeline.stop();
    }
  }
  return rows;
}

async function rates(bench, pipeline, concurrency) {
  const perSecond = (concurrency * 1_000) / WORK_MS;
  const count = Math.max(10, Math.round(perSecond * bench.seconds));
  // In bulks of what fits, so that there is always enough to do.
  const bulk = Math.min(count, 100);
  const rounds = bench.quick ? 1 : 3;
  const measured = [];
  while (measured.length < rounds) {
    bench.say(`concurrency ${concurrency}: round ${measured.length + 1} of ${rounds}`);
    const result = await pipeline.flood({ count, bulk, inFlight: 5, sizeBytes: 100 });
    measured.push(result.perSecond);
  }
  return measured;
}

function rowOf(concurrency, rates) {
  const ideal = (concurrency * 1_000) / WORK_MS;
  return row({
    name: `concurrency ${numbers.format(concurrency)}, handlers of ${WORK_MS} ms, messages/s`,
    peerName: 'nothing but the handlers takes time',
    ours: median(rates),
    peer: ideal,
    ratios: rates.map((rate) => rate / ideal),
  });
}
