// From nothing to ready, each time in a fresh process. Both import @nestjs/common, core and microservices, which any
// application with either has; ours imports the library after them.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { row } from '../harness/report.mjs';
import { interleave, median, ratiosOf } from '../harness/statistics.mjs';

const execute = promisify(execFile);
/** A library on top of Nest's packages cannot be imported sooner than they alone: that is told, not judged. */
const cases = {
  importMs: { name: "import of Nest's three packages and, for ours, the library, ms" },
  readyMs: { name: 'application made to ready, ms', atMost: 1 },
  wholeMs: { name: 'from nothing to ready, ms' },
};
const contenders = ['start-disco', 'start-transport-redis'];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const sample = async (contender) => {
    const file = fileURLToPath(new URL(`../contenders/${contender}.mjs`, import.meta.url));
    const { stdout } = await execute(process.execPath, [file, String(redis.port)], { timeout: 30_000 });
    const { importMs, readyMs, ...rest } = JSON.parse(stdout);
    return { ...rest, importMs, readyMs, wholeMs: importMs + readyMs };
  };
  const rounds = bench.quick ? 1 : 15;
  // The first one finds nothing in the system's file cache.
  if (!bench.quick) for (const contender of contenders) await sample(contender);
  const results = await interleave(contenders, rounds, (contender, round) => {
    bench.say(`round ${round + 1} of ${rounds}, ${contender}`);
    return sample(contender);
  });
  const figures = (contender, name) => results.get(contender).map((result) => result[name]);
  const nestMs = Math.round(median(figures(contenders[0], 'nestMs')));
  bench.say(`of our import, ${nestMs} ms are Nest's three packages, loaded before the library`);
  return Object.entries(cases).map(([figure, { name, atMost }]) => {
    const [ours, theirs] = contenders.map((contender) => figures(contender, figure));
    return row({
      suite: 'start',
      name,
      peerName: 'Transport.REDIS',
      ours: median(ours),
      peer: median(theirs),
      ratios: ratiosOf(ours, theirs),
      smallerIsBetter: true,
      atMost,
    });
  });
}
