// Publish in one process, handle in another, over Redis pub/sub.
import { Pipeline } from '../harness/pipeline.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave, median } from '../harness/statistics.mjs';

const OURS = 'disco';
const TRANSPORT = 'transport-redis';
const BARE = 'ioredis';
const names = { [TRANSPORT]: 'Transport.REDIS', [BARE]: 'ioredis, auto-pipelining' };

const floods = [
  { label: '100 B', sizeBytes: 100, targets: { [TRANSPORT]: 10, [BARE]: 4 } },
  { label: '1 KB', sizeBytes: 1_000, targets: { [TRANSPORT]: 3.5, [BARE]: undefined } },
  { label: '10 KB', sizeBytes: 10_000, targets: { [TRANSPORT]: 1.35, [BARE]: undefined } },
  { label: '1 KB, raw body', sizeBytes: 1_000, raw: true, targets: { [TRANSPORT]: 10 } },
  { label: '10 KB, raw body', sizeBytes: 10_000, raw: true, targets: { [TRANSPORT]: 5 } },
];
const paceTargets = { [TRANSPORT]: 0.5, [BARE]: 1.2 };

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const pipelines = {};
  for (const contender of [OURS, TRANSPORT, BARE]) {
    bench.say(`starting ${contender}`);
    pipelines[contender] = bench.closing(await Pipeline.start(redis, contender));
  }
  const rows = [];
  for (const flood of floods) rows.push(...(await floodRows(bench, pipelines, flood)));
  rows.push(...(await paceRows(bench, pipelines)));
  return rows;
}

async function floodRows(bench, pipelines, { label, sizeBytes, raw, targets }) {
  const contenders = [OURS, ...Object.keys(targets)];
  // The peers have no raw bodies: they carry JSON of the same size.
  const options = (contender) => ({ sizeBytes, raw: contender === OURS && raw, inFlight: 512 });
  const counts = {};
  for (const contender of contenders)
    counts[contender] = await bench.countFor(pipelines[contender], options(contender));
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${label}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return pipelines[contender].flood({ ...options(contender), count: counts[contender] });
  });
  const ours = results.get(OURS);
  const rows = Object.entries(targets).map(([peer, atLeast]) =>
    rowOfRounds({
      suite: 'pubsub',
      name: `${label}, 512 in flight, messages/s`,
      peerName: names[peer],
      ours,
      theirs: results.get(peer),
      figure: ({ perSecond }) => perSecond,
      cpu: ({ cpu }) => cpu.total,
      middle: median,
      atLeast,
    }),
  );
  if (sizeBytes === 100) rows.push(cpuRow(ours, results.get(TRANSPORT)));
  return rows;
}

function cpuRow(ours, theirs) {
  return rowOfRounds({
    suite: 'pubsub',
    name: '100 B, 512 in flight, CPU µs per message (publisher, consumer, Redis)',
    peerName: names[TRANSPORT],
    ours,
    theirs,
    figure: ({ cpu }) => cpu.total,
    middle: median,
    atMost: 1 / 8,
  });
}

async function paceRows(bench, pipelines) {
  const perSecond = 8_000;
  const options = { perSecond, sizeBytes: 100, count: Math.round(perSecond * Math.max(1, bench.seconds)) };
  const results = await interleave(Object.keys(pipelines), bench.rounds, (contender, round) => {
    bench.say(`8,000/s: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return pipelines[contender].pace(options);
  });
  const rowFor = (percentile, peer, atMost) =>
    rowOfRounds({
      suite: 'pubsub',
      name: `100 B at 8,000/s, ${percentile} µs`,
      peerName: names[peer],
      ours: results.get(OURS),
      theirs: results.get(peer),
      figure: (result) => result[percentile],
      cpu: ({ cpu }) => cpu.total,
      middle: median,
      atMost,
    });
  return Object.keys(names).flatMap((peer) => [
    rowFor('p50', peer, paceTargets[peer]),
    rowFor('p99', peer, undefined),
  ]);
}
