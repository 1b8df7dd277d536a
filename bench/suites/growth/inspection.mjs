// What it takes to look at all topics and groups: 1,000 topics of 3 groups, with members and messages that wait.
import { fromRoot } from '../../harness/library.mjs';
import { row } from '../../harness/report.mjs';

/** The groups of each topic. */
export const GROUPS = ['billing', 'mail', 'search'];
const LIMIT_MS = 1_000;
const LOOKS = 5;
export const numbers = new Intl.NumberFormat('en');

/** Milliseconds for all numbers of all topics, against one second. */
export async function inspectionRows(bench, redis) {
  const bus = await startBus(redis, 'inspected');
  try {
    const rows = [];
    let made = 0;
    for (const topics of bench.quick ? [20] : [100, 1_000]) {
      bench.say(`making ${numbers.format(topics)} topics of ${GROUPS.length} groups`);
      for (; made < topics; made++) await makeTopic(bus, topicName(made));
      rows.push(rowOf(topics, await looks(bus, topics)));
    }
    return rows;
  } finally {
    await bus.stop();
  }
}

/** A bus of this process; the caller stops it. */
export async function startBus(redis, prefix) {
  const { DiscoBus } = await fromRoot('nestjs-disco-bus');
  const { redisDriver } = await fromRoot('nestjs-disco-bus/redis');
  const bus = new DiscoBus({ driver: redisDriver({ url: redis.url }), prefix, service: 'bench' });
  await bus.start();
  return bus;
}

/** The name of the topic with this number. */
export function topicName(number) {
  return `topic.${String(number).padStart(4, '0')}`;
}

/** Two groups have handled everything; for the third one messages wait. */
export async function makeTopic(bus, topic) {
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
    await lookAt(bus, topics);
    times.push(performance.now() - begunMs);
  }
  return times;
}

/** Looks once at all of so many topics. */
export async function lookAt(bus, topics) {
  const found = await bus.inspect.topics({ limit: topics });
  if (found.length !== topics || found.some(({ groups }) => groups.length !== GROUPS.length)) {
    throw new Error(`${found.length} of ${topics} topics were found, or not all of their groups`);
  }
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
