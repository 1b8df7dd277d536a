// What it takes to look at all topics and groups: 1,000 topics of 3 groups, with members and messages that wait.
import { fromRoot } from '../../harness/library.mjs';
import { row } from '../../harness/report.mjs';

const GROUPS = ['billing', 'mail', 'search'];
const LIMIT_MS = 1_000;
const LOOKS = 5;
const numbers = new Intl.NumberFormat('en');

/** Milliseconds for all numbers of all topics, against one second. */
export async function inspectionRows(bench, redis) {
  const { DiscoBus } = await fromRoot('nestjs-disco-bus');
  const { redisDriver } = await fromRoot('nestjs-disco-bus/redis');
  const bus = new DiscoBus({
    driver: redisDriver({ url: redis.url }),
    prefix: 'inspected',
    service: 'bench',
  });
  await bus.start();
  try {
    const rows = [];
    let made = 0;
    for (const topics of bench.quick ? [100] : [100, 1_000]) {
      bench.say(`making ${numbers.format(topics)} topics of ${GROUPS.length} groups`);
      for (; made < topics; made++) await makeTopic(bus, `topic.${String(made).padStart(4, '0')}`);
      rows.push(rowOf(topics, await looks(bus, topics)));
    }
    return rows;
  } finally {
    await bus.stop();
  }
}

/** Two groups have handled everything; for the third one messages wait. */
async function makeTopic(bus, topic) {
  for (const group of GROUPS) {
    const subscription = await bus.subscribe(topic, () => undefined, { group, concurrency: 1, prefetch: 0 });
    if (group === 'search') await subscription.close();
  }
  await bus.publishBatch(
    topic,
    Array.from({ length: 100 }, (_, n) => ({ n })),
  );
}

async function looks(bus, topics) {
  const times = [];
  for (let look = 0; look < LOOKS; look++) {
    const begunMs = performance.now();
    const found = await bus.inspect.topics({ limit: topics });
    times.push(performance.now() - begunMs);
    if (found.length !== topics || found.some(({ groups }) => groups.length !== GROUPS.length)) {
      throw new Error(`${found.length} of ${topics} topics were found, or not all of their groups`);
    }
  }
  return times;
}

function rowOf(topics, times) {
  const sorted = [...times].sort((one, other) => one - other);
  return row({
    name: `inspect ${numbers.format(topics)} topics × ${GROUPS.length} groups, ms`,
    peerName: 'a second',
    ours: sorted[Math.floor(LOOKS / 2)],
    peer: LIMIT_MS,
    ratios: times.map((ms) => ms / LIMIT_MS),
    smallerIsBetter: true,
    atMost: 1,
  });
}
