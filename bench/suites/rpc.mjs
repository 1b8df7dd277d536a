// Request and reply: a client's process and those of the instances that answer; handlers return what they are given. One
// instance against one; and two against two, where Transport.REDIS sends each request to both and both answer it.
import { rowOfRounds } from '../harness/report.mjs';
import { Exchange } from '../harness/requests.mjs';
import { interleave } from '../harness/statistics.mjs';

const OURS = 'rpc-disco';
const PEER = 'rpc-transport-redis';
const FLOOR = 'rpc-floor';
const contenders = [OURS, PEER, FLOOR];

const settings = [
  {
    instances: 1,
    label: '1 : 1',
    cases: [
      { size: '100 B', sizeBytes: 100, inFlight: 512, atLeast: 2.6, share: 0.85, cpu: 1.35 },
      { size: '100 B', sizeBytes: 100, inFlight: 64, atLeast: 2, share: 0.9, cpu: 1.35 },
      { size: '1 KB', sizeBytes: 1_000, inFlight: 64, share: 0.85 },
      { size: '10 KB', sizeBytes: 10_000, inFlight: 64, atLeast: 1, share: 0.85 },
      { size: '100 B', sizeBytes: 100, inFlight: 1, atLeast: 1.1, share: 0.75 },
    ],
  },
  {
    instances: 2,
    label: '2 : 2, each answered once',
    cases: [{ size: '100 B', sizeBytes: 100, inFlight: 512, atLeast: 4 }],
  },
];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const rows = [];
  for (const setting of settings) rows.push(...(await rowsOf(bench, redis, setting)));
  return rows;
}

/** The rows of one number of instances; its processes end with them. */
async function rowsOf(bench, redis, { instances, label, cases }) {
  const exchanges = {};
  try {
    for (const contender of contenders) {
      bench.say(`starting ${contender}, ${label}`);
      exchanges[contender] = await Exchange.start(redis, contender, instances);
    }
    const rows = [];
    for (const each of cases) rows.push(...(await caseRows(bench, exchanges, label, each)));
    return rows;
  } finally {
    await Promise.all(Object.values(exchanges).map((exchange) => exchange.stop()));
  }
}

async function caseRows(bench, exchanges, label, { size, sizeBytes, inFlight, atLeast, share, cpu }) {
  const flood = (contender, count) => exchanges[contender].flood({ count, sizeBytes, inFlight });
  const name = `${size}, ${inFlight} in flight, ${label}`;
  const counts = {};
  for (const contender of contenders) {
    counts[contender] = await bench.countFor((count) => flood(contender, count));
  }
  const results = await interleave(contenders, bench.rounds, (contender, round) => {
    bench.say(`${name}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  const rowFor = (rest) =>
    rowOfRounds({
      suite: 'rpc',
      peerName: 'Transport.REDIS',
      ours: results.get(OURS),
      theirs: results.get(PEER),
      floor: results.get(FLOOR),
      ...rest,
    });
  return [
    rowFor({
      name: `${name}, requests/s`,
      figure: ({ perSecond }) => perSecond,
      cpu: (result) => result.cpu.total,
      atLeast,
      shareTarget: share,
    }),
    ...(cpu === undefined ? [] : [rowFor({ name: `${name}, CPU µs`, ...cpuFigure, shareTarget: cpu })]),
  ];
}

const cpuFigure = { figure: ({ cpu }) => cpu.total, smallerIsBetter: true };
