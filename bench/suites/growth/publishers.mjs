// 1 to 16 publishers' processes at least once, on one Redis and on a Cluster of three primaries; 12 topics, one consumer.
//
// All processes and servers share this machine's cores: once these are busy, neither more publishers nor more primaries
// can make more messages per second. What a server spends on a message is what tells how far servers carry.
import { Crowd } from '../../harness/crowd.mjs';
import { rowOfRounds } from '../../harness/report.mjs';
import { interleave } from '../../harness/statistics.mjs';

const TOPICS = 12;
/** So many that each topic's script calls are full, as they are on servers near their limit. */
const flood = { sizeBytes: 100, inFlight: 256 * TOPICS };
const rate = { figure: ({ perSecond }) => perSecond, cpu: ({ cpu }) => cpu.total };
const perServer = {
  figure: ({ cpu }) => Math.max(...cpu.servers),
  smallerIsBetter: true,
  peerName: 'one Redis',
};

/** Each row: a variant, the one that it is held against, and what is told of them. */
const comparisons = [
  [
    '4 on one',
    '1 on one',
    { name: '4 publishers on one Redis, messages/s', peerName: '1 publisher', ...rate },
  ],
  [
    '16 on one',
    '1 on one',
    { name: '16 publishers on one Redis, messages/s', peerName: '1 publisher', ...rate },
  ],
  [
    '4 on three',
    '4 on one',
    { name: 'three primaries on this one machine, messages/s', peerName: 'one Redis', ...rate },
  ],
  [
    '4 on three',
    '4 on one',
    { name: 'three primaries, CPU µs per message of the busiest', ...perServer, atMost: 0.5 },
  ],
  [
    'pub/sub on three',
    'pub/sub on one',
    { name: 'pub/sub: three primaries, CPU µs per message of the busiest', ...perServer },
  ],
];

/** Rates against one publisher, and the CPU of the busiest server against that of the only one. */
export async function publisherRows(bench, redis) {
  bench.say('starting a cluster');
  const cluster = await bench.cluster();
  const one = { nodes: [redis], options: { url: redis.url } };
  const topic = await evenlySpread(cluster);
  const three = { nodes: cluster.nodes, options: { cluster: cluster.addresses, topic } };
  const delivery = 'at-least-once';
  const variants = {
    '1 on one': { place: one, publishers: 1, delivery },
    '4 on one': { place: one, publishers: 4, delivery },
    '4 on three': { place: three, publishers: 4, delivery },
    ...(!bench.quick && {
      '16 on one': { place: one, publishers: 16, delivery },
      'pub/sub on one': { place: one, publishers: 4, delivery: 'at-most-once' },
      'pub/sub on three': { place: three, publishers: 4, delivery: 'at-most-once' },
    }),
  };
  const results = await measured(bench, variants);
  return rowsOf(results);
}

/** A name whose topics lie on the nodes in equal parts, as many topics do; a dozen by chance does not. */
async function evenlySpread(cluster) {
  for (let attempt = 0; ; attempt++) {
    const name = `spread-${attempt}`;
    const counts = cluster.nodes.map(() => 0);
    for (let index = 0; index < TOPICS; index++) counts[await cluster.ownerOf(`{${name}.${index}}`)]++;
    if (counts.every((count) => count === TOPICS / counts.length)) return name;
  }
}

async function measured(bench, variants) {
  const crowds = {};
  try {
    for (const [variant, { place, publishers, delivery }] of Object.entries(variants)) {
      bench.say(`starting publishers: ${variant}`);
      const options = { topics: TOPICS, busy: TOPICS, concurrency: 512, delivery };
      crowds[variant] = await Crowd.start(place, 'disco-topics', publishers, options);
    }
    const counts = {};
    for (const variant of Object.keys(variants)) {
      counts[variant] = await bench.countFor((count) => crowds[variant].flood({ ...flood, count }), 0.5);
    }
    return await interleave(Object.keys(variants), bench.rounds, (variant, round) => {
      bench.say(`publishers, ${variant}: round ${round + 1} of ${bench.rounds}`);
      return crowds[variant].flood({ ...flood, count: counts[variant] });
    });
  } finally {
    await Promise.all(Object.values(crowds).map((crowd) => crowd.stop()));
  }
}

function rowsOf(results) {
  const has = ([ours]) => results.has(ours);
  return comparisons
    .filter(has)
    .map(([ours, theirs, rest]) =>
      rowOfRounds({ ours: results.get(ours), theirs: results.get(theirs), ...rest }),
    );
}
