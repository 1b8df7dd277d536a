// What it costs that waiting messages are counted exactly: publishing, against the same build with the counting taken out of
// what publishes; and looking at the numbers, against the bare commands of Redis, which count entries.
import { fromRoot } from '../harness/library.mjs';
import { rowOfRounds } from '../harness/report.mjs';
import { interleave, nowUs } from '../harness/statistics.mjs';
import { startWorker } from '../harness/worker.mjs';
import { GROUPS, lookAt, makeTopic, numbers, startBus, topicName } from './growth/inspection.mjs';

const OURS = 'disco-durable';
const PEER = 'disco-uncounted';
const writers = [OURS, PEER];
const BUNDLE = 100;
/** One call is under way at a time: a message, or a bundle, is alone in it. */
const cases = [
  { label: 'a lone message', inFlight: 1 },
  { label: `a bundle of ${BUNDLE}`, bulk: BUNDLE, inFlight: 1 },
];
const LOOKS = 15;
/** What bare commands ask for in one pipeline. */
const TOPICS_AT_ONCE = 50;

/** Runs the suite and returns its rows. */
export async function run(bench) {
  const redis = await bench.redis();
  const rows = [...(await writingRows(bench, redis)), ...(await readingRows(bench, redis))];
  return rows.map((row) => ({ ...row, suite: 'counting' }));
}

async function writingRows(bench, redis) {
  const tracks = {};
  for (const writer of writers) {
    bench.say(`starting ${writer}`);
    tracks[writer] = await Track.start(bench, redis, writer);
  }
  const rows = [];
  for (const each of cases) rows.push(...(await rowsOf(bench, tracks, each)));
  return rows;
}

async function rowsOf(bench, tracks, { label, ...flood }) {
  const run = (writer, count) => tracks[writer].flood({ sizeBytes: 100, count, ...flood });
  const counts = [];
  for (const writer of writers) counts.push(await bench.countFor((count) => run(writer, count)));
  const count = Math.min(...counts);
  const rounds = bench.quick ? 1 : 15;
  const results = await interleave(writers, rounds, (writer, round) => {
    bench.say(`${label}: round ${round + 1} of ${rounds}, ${writer}`);
    return run(writer, count);
  });
  const row = (unit, figure, rest = { smallerIsBetter: true }) =>
    rowOfRounds({
      name: `${label}, 100 B, ${unit}`,
      peerName: 'the same without counting',
      ours: results.get(OURS),
      theirs: results.get(PEER),
      figure,
      ...rest,
    });
  return [
    row('CPU µs per message, client and Redis', ({ cpu }) => cpu.total),
    row('CPU µs per message, Redis alone', ({ cpu }) => cpu.redis),
    row('messages/s', ({ perSecond }) => perSecond, { cpu: ({ cpu }) => cpu.total }),
  ];
}

/** A publisher in a process of its own, and a topic of its own, with a group that nobody reads: so nothing but publishing is measured. */
class Track {
  static async start(bench, redis, writer) {
    const topic = `counting-${writer}`;
    const bus = await startBus(redis, 'disco');
    await (await bus.subscribe(topic, () => undefined, { group: 'idle' })).close();
    await bus.stop();
    const bundling = { 'at-least-once': { maxMessages: BUNDLE } };
    const options = { url: redis.url, topic, compression: false, metrics: false, bundling };
    return new Track(redis, bench.closing(await startWorker(writer, 'publisher', options)), topic, writer);
  }

  constructor(redis, publisher, topic, writer) {
    this.redis = redis;
    this.publisher = publisher;
    this.stream = `disco:{${topic}}`;
    this.counts = writer === OURS;
  }

  /** Publishes `count` messages and resolves with messages/s as they are accepted, and CPU µs per message. */
  async flood({ count, bulk = 1, ...rest }) {
    await this.redis.ask(`XTRIM ${this.stream} MAXLEN 0`);
    const before = await this.redis.cpuSeconds();
    const given = { count, bulk, ...rest };
    const { startUs, cpu } = await this.publisher.call(bulk > 1 ? 'bulks' : 'flood', given);
    const seconds = (nowUs() - startUs) / 1e6;
    const redis = (((await this.redis.cpuSeconds()) - before) * 1e6) / count;
    await this.assertStored(Math.ceil(count / bulk), count);
    const client = (cpu.user + cpu.system) / count;
    return { perSecond: count / seconds, cpu: { client, redis, total: client + redis } };
  }

  /** Each message, or bundle, is one entry; and what counts has counted, and what does not has not. */
  async assertStored(entries, messages) {
    const { redis, stream } = this;
    const stored = integerIn(await redis.ask(`XLEN ${stream}`));
    if (stored !== entries) throw new Error(`${stream}: ${stored} entries for ${entries}`);
    const total = Number(/\r\n(\d+)\r\n$/.exec(await redis.ask(`HGET ${stream}:counts t`))?.[1] ?? 0);
    const counted = total - (this.total ?? 0);
    this.total = total;
    if (counted !== (this.counts ? messages : 0))
      throw new Error(`${stream}: ${counted} of ${messages} messages were counted`);
  }
}

/** All numbers of all topics, by this library and by bare commands. */
async function readingRows(bench, redis) {
  const { Redis } = await fromRoot('ioredis');
  const topics = bench.quick ? 100 : 1_000;
  const bus = await startBus(redis, 'counted');
  const client = new Redis(redis.url);
  try {
    bench.say(`making ${numbers.format(topics)} topics of ${GROUPS.length} groups`);
    for (let made = 0; made < topics; made++) await makeTopic(bus, topicName(made));
    const readers = { ours: () => lookAt(bus, topics), bare: () => askBare(client, topics) };
    for (const look of Object.values(readers)) await look();
    const results = await interleave(Object.keys(readers), bench.quick ? 1 : LOOKS, (reader, round) => {
      bench.say(`looking: round ${round + 1}, ${reader}`);
      return timed(redis, readers[reader]);
    });
    const row = (unit, figure) =>
      rowOfRounds({
        name: `inspect ${numbers.format(topics)} topics × ${GROUPS.length} groups, ${unit}`,
        peerName: 'XINFO GROUPS, XPENDING',
        ours: results.get('ours'),
        theirs: results.get('bare'),
        figure,
        smallerIsBetter: true,
      });
    return [row('ms', ({ ms }) => ms), row('Redis µs busy', ({ busyUs }) => busyUs)];
  } finally {
    client.disconnect();
    await bus.stop();
  }
}

async function timed(redis, look) {
  const before = await redis.cpuSeconds();
  const begunMs = performance.now();
  await look();
  const ms = performance.now() - begunMs;
  return { ms, busyUs: ((await redis.cpuSeconds()) - before) * 1e6 };
}

/** What Redis itself tells of groups: entries, and not where the lag is unknown. Some topics at a time. */
async function askBare(client, topics) {
  for (let from = 0; from < topics; from += TOPICS_AT_ONCE) {
    const pipeline = client.pipeline();
    for (let number = from; number < Math.min(topics, from + TOPICS_AT_ONCE); number++) {
      const stream = `counted:{${topicName(number)}}`;
      pipeline.xlen(stream).xinfo('GROUPS', stream);
      for (const group of GROUPS) pipeline.xpending(stream, group);
    }
    for (const [error] of await pipeline.exec()) if (error) throw error;
  }
}

function integerIn(answer) {
  return Number(/^:(\d+)\r\n$/.exec(answer)?.[1]);
}
