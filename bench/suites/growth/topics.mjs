// 1 to 10,000 topics subscribed in one process: what a message costs, on one of them and spread over all.
import { Pipeline } from '../../harness/pipeline.mjs';
import { rowOfRounds } from '../../harness/report.mjs';
import { interleave } from '../../harness/statistics.mjs';

const SMALL = '1 topic';
const flood = { sizeBytes: 100, inFlight: 512 };
const variants = {
  [SMALL]: { topics: 1 },
  '1,000 topics subscribed, one busy': { topics: 1_000 },
  '10,000 topics subscribed, one busy': { topics: 10_000, quick: false, atMost: 1.3 },
  '100 topics, all busy': { topics: 100, busy: 100, quick: false, atMost: 1.5 },
  '10,000 topics, all busy': { topics: 10_000, busy: 10_000, quick: false, atMost: 4 },
};

/** CPU per message, against the same with one topic. */
export async function topicRows(bench, redis) {
  const pipelines = {};
  for (const [variant, { topics, busy, quick }] of Object.entries(variants)) {
    if (bench.quick && quick === false) continue;
    bench.say(`subscribing: ${variant}`);
    pipelines[variant] = await Pipeline.start(redis, 'disco-topics', { topics, busy });
  }
  try {
    return rowsOf(await rounds(bench, pipelines));
  } finally {
    await Promise.all(Object.values(pipelines).map((pipeline) => pipeline.stop()));
  }
}

async function rounds(bench, pipelines) {
  const counts = {};
  for (const [variant, pipeline] of Object.entries(pipelines)) {
    counts[variant] = await bench.countFor((count) => pipeline.flood({ ...flood, count }), 0.5);
  }
  return interleave(Object.keys(pipelines), bench.rounds, (variant, round) => {
    bench.say(`${variant}: round ${round + 1} of ${bench.rounds}`);
    return pipelines[variant].flood({ ...flood, count: counts[variant] });
  });
}

function rowsOf(results) {
  const grown = Object.entries(variants).filter(([variant]) => variant !== SMALL && results.has(variant));
  return grown.map(([variant, { atMost }]) =>
    rowOfRounds({
      name: `${variant}, 100 B, CPU µs per message`,
      peerName: SMALL,
      ours: results.get(variant),
      theirs: results.get(SMALL),
      figure: ({ cpu }) => cpu.total,
      smallerIsBetter: true,
      atMost,
    }),
  );
}
