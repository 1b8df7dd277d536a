import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { ConsumerProcess, Journal } from './streams-processes.js';
import { versionsOf } from './streams-versions.js';

const GROUP = 'workers';
const TOPIC = 'people';
const BY_ONE = 'n,name';
const BY_TWO = 'n,given,family';

describe('A deployment of a next version on Redis Streams', () => {
  let server: RedisServer;
  let admin: Redis;
  let publisher: DiscoBus;
  let live: ConsumerProcess[];
  const { one, two } = versionsOf(TOPIC);
  const journal = new Journal();
  const versions = new Map<number, 1 | 2>();
  /** Processes that were made to give way. */
  let deployments = 0;

  beforeAll(async () => {
    server = await RedisServer.start('--appendonly', 'yes');
    admin = new Redis(server.url);
    publisher = new DiscoBus({ driver: redisDriver({ url: server.url }), contract: { two } });
    await publisher.start();
    live = [];
  });
  afterAll(async () => {
    await Promise.all(live.map((each) => each.kill()));
    await publisher.stop();
    admin.disconnect();
    await server.stop();
  });

  async function start(version: 1 | 2): Promise<void> {
    const timing = { claimAfterMs: 2_000, workMs: 2, retryDelayMs: 100 };
    const config = { url: server.url, topic: TOPIC, group: GROUP, concurrency: 8, prefetch: 4, ...timing };
    const consumer = ConsumerProcess.start({ ...config, version }, journal);
    live.push(consumer);
    await consumer.ready;
  }

  /** One process after the other gives way to one of `version`. */
  async function deploy(version: 1 | 2): Promise<void> {
    for (let count = live.length; count > 0; count--) {
      const leaving = live[0];
      await start(version);
      await leaving.kill('SIGTERM');
      live.shift();
      deployments++;
    }
  }

  async function publish(version: 1 | 2): Promise<void> {
    const n = versions.size;
    versions.set(n, version);
    if (version === 1) await publisher.publish(one, { n, name: 'Ada Lovelace' });
    else await publisher.publish(two, { n, given: 'Ada', family: 'Lovelace' });
  }

  /** Publishes for as long as `change` takes, and `count` messages at least. */
  async function publishing(chosen: readonly (1 | 2)[], count: number, change: Promise<void>): Promise<void> {
    let changes = true;
    const changed = change.finally(() => {
      changes = false;
    });
    for (let sent = 0; sent < count || changes; sent++) {
      await publish(chosen[sent % chosen.length]);
      if (sent % 10 === 0) await pause(10);
    }
    await changed;
  }

  const numbers = (version: 1 | 2) => [...versions].flatMap(([n, each]) => (each === version ? [n] : []));
  const done = () => journal.entries.filter(({ type }) => type === 'done');
  const handledBy = (fields: string) => done().filter((entry) => entry.fields === fields).length;
  const deadCount = () => admin.xlen(`disco:{${TOPIC}}:dead:${GROUP}`);

  it('goes forward and back under load, and loses nothing', async () => {
    const phase = scaled(5_000, 300);
    const nothing = Promise.resolve();
    await Promise.all([start(1), start(1)]);
    await publishing([1], phase, nothing);
    expect(handledBy(BY_TWO)).toBe(0);

    await publishing([1, 2], phase, deploy(2));
    await publishing([2], phase, nothing);
    await until('all are handled by version 2', () => journal.done.size === versions.size);
    const upgraded = handledBy(BY_TWO);

    // Both versions are published while the processes go back; from then on nobody knows version 2.
    await publishing([2, 1], phase, deploy(1));
    expect(live).toHaveLength(2);
    const first = versions.size;
    await publishing([2, 1], phase, nothing);
    await publishing([1], phase, nothing);
    await until('all of version 1 are handled', () => numbers(1).every((n) => journal.done.has(n)));
    const waiting = numbers(2).filter((n) => !journal.done.has(n));
    expect(waiting.filter((n) => n >= first)).toEqual(numbers(2).filter((n) => n >= first));
    expect(waiting.length).toBeGreaterThanOrEqual(phase / 2);
    // Longer than any number of attempts would last.
    await pause(3_000);
    expect(numbers(2).filter((n) => !journal.done.has(n))).toEqual(waiting);
    expect(await deadCount()).toBe(0);

    const startedMs = performance.now();
    await deploy(2);
    await until('what waited is handled', () => journal.done.size === versions.size, 30_000);
    const worstRecoveryMs = performance.now() - startedMs;
    const lost = journal.lost(versions.size).length;
    const dead = await deadCount();
    const { duplicated } = journal;
    const pass = lost === 0 && dead === 0 && duplicated === 0;
    const figures = { sent: versions.size, waited: waiting.length, lost, dead, duplicated };
    report({ engine: 'streams', faults: deployments, ...figures, worstRecoveryMs, pass });
    expect({ lost, dead, duplicated }).toEqual({ lost: 0, dead: 0, duplicated: 0 });
    expect(upgraded).toBeGreaterThan(phase);
    expect(handledBy(BY_ONE)).toBeGreaterThan(3 * phase);
    expect(handledBy(BY_ONE) + handledBy(BY_TWO)).toBe(versions.size);
    // However often they waited, no handler has had them before.
    expect(done().filter(({ n, attempt }) => waiting.includes(n) && attempt !== 1)).toEqual([]);
  }, 240_000);
});
