// At least once: publish in one process, handle in another, 50 at a time.
import { Pipeline } from '../harness/pipeline.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave } from '../harness/statistics.mjs';

const OURS = 'disco-durable';
const PEER = 'bullmq';
const FLOOR = 'durable-floor';
const contenders = [OURS, PEER, FLOOR];
const bulks = { bulk: 100, inFlight: 5 };

const cases = [
  { label: '100 B, bulks of 100', sizeBytes: 100, peerName: 'BullMQ addBulk', atLeast: 20, ...bulks },
  { label: '100 B, 64 in flight', sizeBytes: 100, peerName: 'BullMQ add', atLeast: 15, inFlight: 64 },
  { label: '1 KB, bulks of 100', sizeBytes: 1_000, peerName: 'BullMQ addBulk', atLeast: 5, ...bulks },
  { label: '10 KB, bulks of 100', sizeBytes: 10_000, peerName: 'BullMQ addBulk', atLeast: 2.2, ...bulks },
];
const SHARE = 0.7;
const CPU_SHARE = 1.35;

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const pipelines = {};
  for (const contender of contenders) {
    bench.say(`starting ${contender}`);
    pipelines[contender] = bench.closing(await Pipeline.start(redis, contender, { compression: false }));
  }
  const rows = [];
  for (const each of cases) rows.push(...(await rowsOf(bench, pipelines, each)));
  return rows;
}

async function rowsOf(bench, pipelines, { label, peerName, atLeast, ...flood }) {
  const run = (contender, count) => pipelines[contender].flood({ count, ...flood });
  const counts = {};
  for (const contender of contenders)
    counts[contender] = await bench.countFor((count) => run(contender, count));
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${label}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return run(contender, counts[contender]);
  });
  const rowFor = (rest) =>
    rowOfRounds({
      suite: 'durable',
      peerName,
      ours: results.get(OURS),
      theirs: results.get(PEER),
      floor: results.get(FLOOR),
      ...rest,
    });
  const figures = [
    rowFor({
      name: `${label}, messages/s`,
      figure: ({ perSecond }) => perSecond,
      cpu: ({ cpu }) => cpu.total,
      atLeast,
      shareTarget: SHARE,
    }),
  ];
  if (flood.sizeBytes === 100) {
    const cost = { figure: ({ cpu }) => cpu.total, smallerIsBetter: true, shareTarget: CPU_SHARE };
    figures.push(rowFor({ name: `${label}, CPU µs per message`, ...cost }));
  }
  return figures;
}
