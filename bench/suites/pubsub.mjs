// Publish in one process, handle in another, over Redis pub/sub.
import { Pipeline } from '../harness/pipeline.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave } from '../harness/statistics.mjs';

const OURS = 'disco';
const GZIP = 'disco, compression on';
const TRANSPORT = 'transport-redis';
const BARE = 'ioredis';
const names = { [TRANSPORT]: 'Transport.REDIS', [BARE]: 'ioredis, auto-pipelining' };

/** What is started: the contender's file and its options. */
const lineUp = {
  [OURS]: ['disco', {}],
  [GZIP]: ['disco', { compression: { threshold: 1024 } }],
  [TRANSPORT]: ['transport-redis', {}],
  [BARE]: ['ioredis', {}],
};

const floods = [
  { label: '100 B', sizeBytes: 100, targets: { [TRANSPORT]: 10, [BARE]: 4 } },
  { label: '1 KB', sizeBytes: 1_000, targets: { [TRANSPORT]: 3.5, [BARE]: undefined } },
  { label: '10 KB, gzip', sizeBytes: 10_000, ours: GZIP, targets: { [TRANSPORT]: undefined } },
  {
    label: '10 KB',
    sizeBytes: 10_000,
    targets: { [TRANSPORT]: 1.35, [BARE]: undefined },
  },
  { label: '1 KB, raw body', sizeBytes: 1_000, raw: true, targets: { [TRANSPORT]: 10 } },
  {
    label: '10 KB, raw body',
    sizeBytes: 10_000,
    raw: true,
    targets: { [TRANSPORT]: 5 },
  },
];
/** Messages in flight at which the latency is told. */
const depths = [1, 64, 512];
const paceTargets = { [TRANSPORT]: 0.5, [BARE]: 1.2 };

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const pipelines = {};
  for (const [contender, [file, options]] of Object.entries(lineUp)) {
    bench.say(`starting ${contender}`);
    pipelines[contender] = bench.closing(await Pipeline.start(redis, file, options));
  }
  const rows = [];
  for (const flood of floods) rows.push(...(await floodRows(bench, pipelines, flood)));
  rows.push(...(await paceRows(bench, pipelines)));
  for (const inFlight of depths) rows.push(...(await depthRows(bench, pipelines, inFlight)));
  return rows;
}

async function floodRows(bench, pipelines, { label, sizeBytes, raw, ours: own = OURS, targets }) {
  const contenders = [own, ...Object.keys(targets)];
  // The peers have no raw bodies: they carry JSON of the same size.
  const flood = (contender, count) =>
    pipelines[contender].flood({ count, sizeBytes, raw: contender === own && raw, inFlight: 512 });
  const counts = {};
  for (const contender of contenders)
    counts[contender] = await bench.countFor((count) => flood(contender, count));
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${label}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  const ours = results.get(own);
  const rows = Object.entries(targets).map(([peer, atLeast]) =>
    rowOfRounds({
      suite: 'pubsub',
      name: `${label}, 512 in flight, messages/s`,
      peerName: names[peer],
      ours,
      theirs: results.get(peer),
      figure: ({ perSecond }) => perSecond,
      cpu: ({ cpu }) => cpu.total,
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
    atMost: 1 / 8,
  });
}

async function paceRows(bench, pipelines) {
  const perSecond = 8_000;
  const options = { perSecond, sizeBytes: 100, count: Math.round(perSecond * bench.seconds) };
  const results = await interleave([OURS, TRANSPORT, BARE], bench.rounds, (contender, round) => {
    bench.say(`8,000/s: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return pipelines[contender].pace(options);
  });
  return latencyRows('100 B at 8,000/s', results, paceTargets);
}

/** How long a message takes while so many are always on their way: the more, the longer it stands in line. */
async function depthRows(bench, pipelines, inFlight) {
  const contenders = [OURS, TRANSPORT, BARE];
  const flood = (contender, count) =>
    pipelines[contender].flood({ count, inFlight, sizeBytes: 100, timed: true });
  const seconds = bench.seconds / 3;
  const counts = {};
  for (const contender of contenders) {
    const { perSecond } = await flood(contender, 1_000);
    counts[contender] = Math.max(1_000, Math.round(perSecond * seconds));
  }
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${inFlight} in flight: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  return latencyRows(`100 B, ${inFlight} in flight`, results);
}

function latencyRows(label, results, targets = {}) {
  const rowFor = (percentile, peer, atMost) =>
    rowOfRounds({
      suite: 'pubsub',
      name: `${label}, ${percentile} µs`,
      peerName: names[peer],
      ours: results.get(OURS),
      theirs: results.get(peer),
      figure: (result) => result[percentile],
      cpu: ({ cpu }) => cpu.total,
      smallerIsBetter: true,
      atMost,
    });
  return Object.keys(names).flatMap((peer) => [rowFor('p50', peer, targets[peer]), rowFor('p99', peer)]);
}
