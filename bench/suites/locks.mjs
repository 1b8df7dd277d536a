// Taking and releasing locks: alone, and in competition, within one process and over several.
import { rowOfRounds } from '../harness/report.mjs';
import { interleave } from '../harness/statistics.mjs';
import { startWorker } from '../harness/worker.mjs';

const OURS = 'locks-disco';
const peers = { 'locks-redlock': '@sesamecare-oss/redlock', 'locks-redis-semaphore': 'redis-semaphore' };
const FLOOR = 'locks-floor';
/** What a pair that is alone is measured by: its round trips. */
const PINGS = 'locks-pings';
const contenders = [OURS, ...Object.keys(peers), FLOOR];

const alone = [
  { inFlight: 1, atLeast: 0.97, pings: 1.15 },
  { inFlight: 64, atLeast: 1.6, share: 0.7, cpuAtMost: 1 / 2 },
];
const contended = [
  { processes: 1, waiters: 32, atLeast: 1.8, share: 0.7, cpuAtMost: 1 / 4 },
  { processes: 4, waiters: 8, atLeast: 1.5, share: 0.7 },
  { processes: 8, waiters: 1, atLeast: 1.2, share: 0.7 },
];
/** The peers look again after such a delay; each case is run with the one that suits them best. */
const retryDelays = [2, 4, 8, 16];

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const rows = [];
  for (const each of bench.quick ? alone.slice(1) : alone)
    rows.push(...(await aloneRows(bench, redis, each)));
  const places = bench.quick ? contended.slice(0, 1) : contended;
  for (const each of places) rows.push(...(await contendedRows(bench, redis, each)));
  return rows;
}

async function aloneRows(bench, redis, { inFlight, pings, ...targets }) {
  const label = `uncontended, ${inFlight} in flight, pairs/s`;
  const all = pings === undefined ? contenders : [...contenders, PINGS];
  const place = { redis, processes: 1, contenders: all };
  return withWorkers(bench, place, async (workers) => {
    const measure = (contender, seconds) =>
      measured(redis, workers[contender], 'uncontended', { inFlight, seconds });
    for (const contender of all) await measure(contender, bench.seconds / 2);
    const results = await rounds(bench, label, measure, all);
    return [...rowsOf(label, targets, results), ...pingRows(inFlight, pings, results)];
  });
}

/** How long a pair takes, against its two round trips as the floor. */
function pingRows(inFlight, shareTarget, results) {
  if (shareTarget === undefined) return [];
  const rest = { figure: ({ p50 }) => p50, cpu: ({ cpu }) => cpu, smallerIsBetter: true, shareTarget };
  return Object.keys(peers).map((peer) =>
    rowFor(results, peer, {
      name: `uncontended, ${inFlight} in flight (floor: two PINGs), p50 µs of a pair`,
      floor: results.get(PINGS),
      ...rest,
    }),
  );
}

async function contendedRows(bench, redis, { processes, waiters, ...targets }) {
  const label = `contended, ${processes} × ${waiters}, 1 ms sections, 5 ms pauses, sections/s`;
  return withWorkers(bench, { redis, processes, contenders }, async (workers) => {
    const delays = {};
    const measure = (contender, seconds, retryDelayMs = delays[contender]) =>
      measured(redis, workers[contender], 'contended', {
        waiters,
        sectionMs: 1,
        pauseMs: 5,
        seconds,
        retryDelayMs,
      });
    // As warm as the peers are after they have tried their delays.
    for (const _ of bench.quick ? [0] : retryDelays)
      for (const contender of [OURS, FLOOR]) await measure(contender, bench.seconds, 0);
    for (const peer of Object.keys(peers)) delays[peer] = await bestDelay(bench, label, peer, measure);
    return rowsOf(label, targets, await rounds(bench, label, measure, contenders));
  });
}

async function bestDelay(bench, label, peer, measure) {
  let best = { perSecond: -1 };
  for (const delay of bench.quick ? retryDelays.slice(1, 2) : retryDelays) {
    const { perSecond } = await measure(peer, bench.seconds, delay);
    if (perSecond > best.perSecond) best = { perSecond, delay };
  }
  bench.say(`${label}: ${peer} is best when it looks again after ${best.delay} ms`);
  return best.delay;
}

function rounds(bench, label, measure, all) {
  return interleave(all, bench.rounds, (contender, round) => {
    bench.say(`${label}: round ${round + 1} of ${bench.rounds}, ${contender}`);
    return measure(contender, bench.seconds);
  });
}

function rowsOf(name, { atLeast, share, cpuAtMost }, results) {
  const cpu = (result) => result.cpu;
  const rate = { name, figure: ({ perSecond }) => perSecond, cpu, atLeast, shareTarget: share };
  const cost = { name: `${name.replace(/, [^,]*$/, '')}, CPU µs`, figure: cpu, atMost: cpuAtMost };
  return Object.keys(peers).flatMap((peer) => [
    rowFor(results, peer, rate),
    ...(cpuAtMost === undefined ? [] : [rowFor(results, peer, cost)]),
  ]);
}

function rowFor(results, peer, rest) {
  return rowOfRounds({
    suite: 'locks',
    peerName: peers[peer],
    ours: results.get(OURS),
    theirs: results.get(peer),
    floor: results.get(FLOOR),
    ...rest,
  });
}

/**
 * Runs all workers of a contender at once. Resolves with how often a second, CPU µs of all processes and Redis each, and
 * the first worker's p50 where it has one.
 */
async function measured(redis, workers, command, options) {
  const before = await redis.cpuSeconds();
  const results = await Promise.all(workers.map((worker) => worker.call(command, options)));
  const redisUs = ((await redis.cpuSeconds()) - before) * 1e6;
  const count = results.reduce((sum, each) => sum + each.count, 0);
  const cpuUs = results.reduce((sum, each) => sum + each.cpuUs, redisUs);
  return { perSecond: count / options.seconds, cpu: cpuUs / Math.max(1, count), p50: results[0].p50 };
}

/** `processes` workers of each of `contenders`, for one case alone. */
async function withWorkers(bench, { redis, processes, contenders: all }, use) {
  const started = [];
  try {
    const workers = {};
    for (const contender of all) {
      bench.say(`starting ${processes} × ${contender}`);
      const start = () => startWorker(contender, 'alone', { url: redis.url, port: redis.port });
      workers[contender] = await Promise.all(Array.from({ length: processes }, start));
      started.push(...workers[contender]);
    }
    return await use(workers);
  } finally {
    await Promise.all(started.map((worker) => worker.stop()));
  }
}
