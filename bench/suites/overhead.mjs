// What metrics, reading the numbers of groups, traces, middleware and schemas cost: this library against itself, as CPU per message,
// which is steadier than a rate.
import { Pipeline } from '../harness/pipeline.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave } from '../harness/statistics.mjs';

const variants = {
  plain: { metrics: false },
  metrics: { metrics: true },
  middleware: { metrics: false, middleware: 3 },
  traces: { metrics: false, tracing: true },
  defined: { metrics: false, schema: 'unchecked' },
  checked: { metrics: false, schema: 'checked' },
  stored: { contender: 'disco-durable', metricsInterval: false },
  polled: { contender: 'disco-durable', metricsInterval: '1s' },
};
const cases = [
  {
    variant: 'metrics',
    name: 'metrics on, 100 B, CPU µs per message',
    peerName: 'metrics off',
    atMost: 1.03,
  },
  {
    variant: 'middleware',
    name: 'three pass-through middlewares, 100 B, CPU µs per message',
    peerName: 'none',
    atMost: 1.05,
  },
  {
    variant: 'traces',
    name: 'every message traced, spans not exported, 100 B, CPU µs per message',
    peerName: 'traces off',
  },
  {
    variant: 'defined',
    name: 'a topic by its definition, checked nowhere, 100 B, CPU µs per message',
    peerName: 'by its name',
    atMost: 1.03,
  },
  {
    variant: 'checked',
    name: 'compared with a zod schema at both ends, 100 B, CPU µs per message',
    peerName: 'by its name',
  },
  {
    variant: 'polled',
    against: 'stored',
    name: 'numbers of groups read every second, at least once, 100 B, CPU µs per message',
    peerName: 'never read',
    atMost: 1.03,
  },
];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const pipelines = {};
  for (const [variant, { contender = 'disco', ...options }] of Object.entries(variants)) {
    bench.say(`starting ${variant}`);
    pipelines[variant] = bench.closing(await Pipeline.start(redis, contender, options));
  }
  const flood = (variant, count) => pipelines[variant].flood({ sizeBytes: 100, inFlight: 512, count });
  const counts = [];
  for (const variant of Object.keys(variants))
    counts.push(await bench.countFor((count) => flood(variant, count)));
  const count = Math.min(...counts);
  const rounds = bench.quick ? 1 : 15;
  const results = await interleave(Object.keys(variants), rounds, (variant, round) => {
    bench.say(`round ${round + 1} of ${rounds}, ${variant}`);
    return flood(variant, count);
  });
  return cases.map(({ variant, against = 'plain', ...rest }) =>
    rowOfRounds({
      suite: 'overhead',
      ...rest,
      ours: results.get(variant),
      theirs: results.get(against),
      figure: ({ cpu }) => cpu.total,
    }),
  );
}
