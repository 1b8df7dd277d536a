// 100 B to 1 MB: what a message and a byte cost, without compression.
import { Pipeline } from '../../harness/pipeline.mjs';
import { rowOfRounds } from '../../harness/report.mjs';
import { interleave } from '../../harness/statistics.mjs';

const sizes = { '100 B': 100, '1 KB': 1_000, '10 KB': 10_000, '100 KB': 100_000, '1 MB': 1_000_000 };
const IN_FLIGHT_BYTES = 4_000_000;
const MIN_COUNT = 50;

/** CPU per byte, against that of 1 KB. */
export async function payloadRows(bench, redis) {
  const pipeline = await Pipeline.start(redis, 'disco-topics');
  try {
    const flood = (label, count) => {
      const sizeBytes = sizes[label];
      const inFlight = Math.max(4, Math.min(512, Math.floor(IN_FLIGHT_BYTES / sizeBytes)));
      return pipeline.flood({ sizeBytes, inFlight, count });
    };
    const counts = {};
    for (const label of Object.keys(sizes)) {
      const { perSecond } = await flood(label, MIN_COUNT);
      counts[label] = Math.max(MIN_COUNT, Math.round(perSecond * bench.seconds * 0.4));
    }
    const results = await interleave(Object.keys(sizes), bench.rounds, (label, round) => {
      bench.say(`payload of ${label}: round ${round + 1} of ${bench.rounds}`);
      return flood(label, counts[label]);
    });
    return rowsOf(results);
  } finally {
    await pipeline.stop();
  }
}

function rowsOf(results) {
  const perByte = (label) =>
    results.get(label).map(({ cpu }) => ({ ns: (cpu.total * 1_000) / sizes[label] }));
  return Object.keys(sizes)
    .filter((label) => label !== '1 KB')
    .map((label) =>
      rowOfRounds({
        name: `payload of ${label}, CPU ns per byte`,
        peerName: '1 KB',
        ours: perByte(label),
        theirs: perByte('1 KB'),
        figure: ({ ns }) => ns,
        smallerIsBetter: true,
      }),
    );
}
