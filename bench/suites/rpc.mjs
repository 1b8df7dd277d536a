// Request and reply: a client process, two instances of ours against one of Transport.REDIS (which sends each request to
// every instance), the handler returning what it is given.
import { rowOfRounds } from '../harness/report.mjs';
import { Exchange } from '../harness/requests.mjs';
import { interleave } from '../harness/statistics.mjs';

const OURS = 'rpc-disco';
const PEER = 'rpc-transport-redis';
const instances = { [OURS]: 2, [PEER]: 1 };

const cases = [
  { label: '100 B', sizeBytes: 100, inFlight: 512, atLeast: 5 },
  { label: '100 B', sizeBytes: 100, inFlight: 64, atLeast: 4 },
  { label: '1 KB', sizeBytes: 1_000, inFlight: 64, atLeast: 2.5 },
  { label: '10 KB', sizeBytes: 10_000, inFlight: 64, atLeast: 1.5 },
  { label: '100 B', sizeBytes: 100, inFlight: 1, atLeast: 2 },
];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const exchanges = {};
  for (const contender of [OURS, PEER]) {
    bench.say(`starting ${contender}`);
    exchanges[contender] = bench.closing(await Exchange.start(redis, contender, instances[contender]));
  }
  const rows = [];
  for (const each of cases) rows.push(await rowOf(bench, exchanges, each));
  return rows;
}

async function rowOf(bench, exchanges, { label, sizeBytes, inFlight, atLeast }) {
  const flood = (contender, count) => exchanges[contender].flood({ count, sizeBytes, inFlight });
  const name = `${label}, ${inFlight} in flight, requests/s`;
  const counts = {};
  for (const contender of [OURS, PEER]) {
    counts[contender] = await bench.countFor((count) => flood(contender, count));
  }
  const results = await interleave([OURS, PEER], bench.rounds, (contender, round) => {
    bench.say(`${name}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  return rowOfRounds({
    suite: 'rpc',
    name,
    peerName: 'Transport.REDIS',
    ours: results.get(OURS),
    theirs: results.get(PEER),
    figure: ({ perSecond }) => perSecond,
    cpu: ({ cpu }) => cpu.total,
    atLeast,
  });
}
