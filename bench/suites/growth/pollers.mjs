// 1 to 1,000 consumer groups that have nothing to do: how often Redis is asked.
import { row } from '../../harness/report.mjs';
import { startWorker } from '../../harness/worker.mjs';

const LIMIT_PERIOD_S = 5;
/** After the start each group reads, and looks after itself, more often than later. */
const SETTLE_MS = 6_000;
const numbers = new Intl.NumberFormat('en');

/** Commands per second that clients send, against one per group in 5 s; and what these make scripts run. */
export async function pollerRows(bench, redis) {
  const rows = [];
  for (const groups of bench.quick ? [20] : [1, 100, 1_000]) {
    bench.say(`starting ${numbers.format(groups)} groups`);
    const options = { url: redis.url, topic: `idle-${groups}`, groups, delivery: 'at-least-once' };
    const worker = await startWorker('disco-topics', 'consumer', options);
    try {
      rows.push(...rowsOf(groups, await idle(bench, redis, groups)));
    } finally {
      await worker.stop();
    }
  }
  return rows;
}

async function idle(bench, redis, groups) {
  // All groups of a process ask at about the same time: a shorter look might see none of it.
  const seconds = bench.quick ? LIMIT_PERIOD_S : 2 * LIMIT_PERIOD_S;
  await pause(bench.quick ? 0 : SETTLE_MS);
  bench.say(`${numbers.format(groups)} idle groups: counting commands for ${seconds} s`);
  const sent = await redis.commandsSent();
  const before = await redis.commandsRun();
  await pause(seconds * 1_000);
  const run = (await redis.commandsRun()) - before;
  sent.stop();
  return { sent: sent.count() / seconds, run: run / seconds };
}

function rowsOf(groups, { sent, run }) {
  const limit = groups / LIMIT_PERIOD_S;
  const label = `${numbers.format(groups)} idle ${groups === 1 ? 'group' : 'groups'}`;
  const rowFor = (name, perSecond, rest = {}) =>
    row({
      name: `${label}, ${name}`,
      peerName: 'one per group in 5 s',
      ours: perSecond,
      peer: limit,
      ratios: [perSecond / limit],
      smallerIsBetter: true,
      ...rest,
    });
  // One group has the heartbeats of its process all to itself: the limit is for many.
  const target = groups === 1 ? {} : { atMost: 1 };
  return [rowFor('commands sent/s', sent, target), rowFor('commands run/s, with those of scripts', run)];
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
