// From nothing to ready, each time in a fresh process.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { row } from '../harness/report.mjs';
import { interleave, median, ratiosOf } from '../harness/statistics.mjs';

const execute = promisify(execFile);
const contenders = ['start-disco', 'start-transport-redis'];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const sample = async (contender) => {
    const file = fileURLToPath(new URL(`../contenders/${contender}.mjs`, import.meta.url));
    const { stdout } = await execute(process.execPath, [file, String(redis.port)], { timeout: 30_000 });
    return JSON.parse(stdout);
  };
  const rounds = bench.quick ? 1 : 15;
  // The first one finds nothing in the system's file cache.
  if (!bench.quick) for (const contender of contenders) await sample(contender);
  const results = await interleave(contenders, rounds, (contender, round) => {
    bench.say(`round ${round + 1} of ${rounds}, ${contender}`);
    return sample(contender);
  });
  const figures = (contender, name) => results.get(contender).map((result) => result[name]);
  const cases = { importMs: 'import of the main entry, ms', readyMs: 'application made to ready, ms' };
  return Object.entries(cases).map(([figure, name]) => {
    const [ours, theirs] = contenders.map((contender) => figures(contender, figure));
    return row({
      suite: 'start',
      name,
      peerName: 'Transport.REDIS',
      ours: median(ours),
      peer: median(theirs),
      ratios: ratiosOf(ours, theirs),
      atMost: 1,
    });
  });
}
