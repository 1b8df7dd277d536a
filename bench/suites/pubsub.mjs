// Publish in one process, handle in another, over Redis pub/sub.
import { Pipeline } from '../harness/pipeline.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave } from '../harness/statistics.mjs';

const OURS = 'disco';
const GZIP = 'disco, compression on';
const TRANSPORT = 'transport-redis';
const BARE = 'ioredis';
const FLOOR = 'pubsub-floor';
const DEFAULT = 'disco, default delivery';
const STORED_FLOOR = 'durable-floor';
const names = { [TRANSPORT]: 'Transport.REDIS', [BARE]: 'ioredis, auto-pipelining' };

/** What is started: the contender's file and its options. */
const lineUp = {
  [OURS]: ['disco', {}],
  [GZIP]: ['disco', { compression: { threshold: 1024 } }],
  [TRANSPORT]: ['transport-redis', {}],
  [BARE]: ['ioredis', {}],
  [FLOOR]: ['pubsub-floor', {}],
  [DEFAULT]: ['disco-durable', {}],
  [STORED_FLOOR]: ['durable-floor', {}],
};

const floods = [
  { label: '100 B', sizeBytes: 100, share: 0.7, targets: { [TRANSPORT]: 8, [BARE]: undefined } },
  { label: '1 KB', sizeBytes: 1_000, share: 0.8, targets: { [TRANSPORT]: 3.5, [BARE]: undefined } },
  { label: '10 KB, gzip', sizeBytes: 10_000, ours: GZIP, targets: { [TRANSPORT]: undefined } },
  { label: '10 KB', sizeBytes: 10_000, share: 0.8, targets: { [TRANSPORT]: 1.3, [BARE]: undefined } },
  { label: '1 KB, raw body', sizeBytes: 1_000, raw: true, share: 0.8, targets: { [TRANSPORT]: 9 } },
  { label: '10 KB, raw body', sizeBytes: 10_000, raw: true, share: 0.8, targets: { [TRANSPORT]: 3 } },
  {
    label: '100 B, at least once (the default)',
    sizeBytes: 100,
    ours: DEFAULT,
    floor: STORED_FLOOR,
    targets: { [TRANSPORT]: undefined },
  },
];
const CPU_SHARE = 1.35;
/** Messages in flight at which the latency is told. */
const depths = [1, 64, 512];
const paceTargets = { [TRANSPORT]: 0.5, [BARE]: 1.1 };

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

async function floodRows(bench, pipelines, { label, sizeBytes, raw, share, targets, ...lines }) {
  const { ours: own = OURS, floor = FLOOR } = lines;
  const contenders = [own, floor, ...Object.keys(targets)];
  // The peers have no raw bodies: they carry JSON of the same size.
  const flood = (contender, count) =>
    pipelines[contender].flood({ count, sizeBytes, raw: !(contender in names) && raw, inFlight: 512 });
  const counts = {};
  for (const contender of contenders)
    counts[contender] = await bench.countFor((count) => flood(contender, count));
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${label}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  const rowFor = (peer, rest) =>
    rowOfRounds({
      suite: 'pubsub',
      peerName: names[peer],
      ours: results.get(own),
      theirs: results.get(peer),
      floor: results.get(floor),
      ...rest,
    });
  const name = `${label}, 512 in flight`;
  const rate = { figure: ({ perSecond }) => perSecond, cpu: ({ cpu }) => cpu.total, shareTarget: share };
  const rows = Object.entries(targets).map(([peer, atLeast]) =>
    rowFor(peer, { name: `${name}, messages/s`, atLeast, ...rate }),
  );
  if (sizeBytes !== 100) return rows;
  const cost = { name: `${name}, CPU µs per message (publisher, consumer, Redis)`, shareTarget: CPU_SHARE };
  const atMost = own === OURS ? 1 / 8 : undefined;
  const figure = ({ cpu }) => cpu.total;
  return [...rows, rowFor(TRANSPORT, { ...cost, figure, atMost, smallerIsBetter: true })];
}

async function paceRows(bench, pipelines) {
  const perSecond = 8_000;
  const options = { perSecond, sizeBytes: 100, count: Math.round(perSecond * bench.seconds) };
  const results = await interleave([OURS, TRANSPORT, BARE, FLOOR], bench.rounds, (contender, round) => {
    bench.say(`8,000/s: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return pipelines[contender].pace(options);
  });
  return latencyRows('100 B at 8,000/s', results, paceTargets);
}

/** How long a message takes while so many are always on their way: the more, the longer it stands in line. */
async function depthRows(bench, pipelines, inFlight) {
  const contenders = [OURS, TRANSPORT, BARE, FLOOR];
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
      floor: results.get(FLOOR),
      figure: (result) => result[percentile],
      cpu: ({ cpu }) => cpu.total,
      smallerIsBetter: true,
      atMost,
    });
  return Object.keys(names).flatMap((peer) => [rowFor('p50', peer, targets[peer]), rowFor('p99', peer)]);
}
