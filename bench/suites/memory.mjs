// Publish and handle in one process, on the embedded driver.
import { row } from '../harness/report.mjs';
import { interleave, median, ratiosOf } from '../harness/statistics.mjs';
import { startWorker } from '../harness/worker.mjs';

const own = {
  'disco-memory': ['disco-memory', { defaults: { delivery: 'at-most-once' } }, '100 B'],
  'disco-memory, default delivery': ['disco-memory', {}, '100 B, at least once (the default)'],
};
const peers = {
  'event-emitter': 'bare EventEmitter + JSON',
  bullmq: 'BullMQ over Redis, for scale',
};

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const workers = {};
  for (const contender of [...Object.keys(own), ...Object.keys(peers)]) {
    bench.say(`starting ${contender}`);
    const [file, options] = own[contender] ?? [contender, {}];
    workers[contender] = bench.closing(await startWorker(file, 'alone', { port: redis.port, ...options }));
  }
  const flood = (contender, count) =>
    workers[contender].call('flood', { count, inFlight: 512, sizeBytes: 100 });
  const counts = {};
  for (const contender of Object.keys(workers))
    counts[contender] = await bench.countFor((count) => flood(contender, count));
  const results = await interleave(Object.keys(workers), bench.rounds, (contender, round) => {
    bench.say(`100 B: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return flood(contender, counts[contender]);
  });
  const rates = (contender) => results.get(contender).map(({ perSecond }) => perSecond);
  const cpus = (contender) => results.get(contender).map(({ cpu }) => cpu);
  return Object.entries(own).flatMap(([ours, [, , label]]) =>
    Object.entries(peers).map(([peer, peerName]) =>
      row({
        suite: 'memory',
        name: `${label}, 512 in flight, messages/s`,
        peerName,
        ours: median(rates(ours)),
        peer: median(rates(peer)),
        ratios: ratiosOf(rates(ours), rates(peer)),
        // A peer that works in Redis as well is charged for its own process only.
        cpuRatio: median(ratiosOf(cpus(ours), cpus(peer))),
      }),
    ),
  );
}
