import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { FAILOVER_TIMEOUT_MS, RedisSentinel } from '../support/redis-sentinel.js';
import type { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { StreamsLoad } from './streams-load.js';
import { Journal } from './streams-processes.js';

const policy = { delivery: 'at-least-once', concurrency: 8, prefetch: 4 } as const;
const inFlight = 12;
const consumers = 2;
/** At each fault: what was in hand, and what was settled just before and not replicated. */
const mayRepeatAtOnce = 3 * consumers * inFlight;
/** What was handled so shortly before may not be settled yet. */
const SPARE_MS = 500;
const MOST_WAITING = 1_000;
const streams = { claimAfter: 2_000, durability: { replicas: 1, timeout: 500 } } as const;

interface Failover {
  readonly topics: number;
  readonly rounds: number;
  readonly boundMs: number;
  readonly endpoint: RedisDriverOptions;
  /** How much may be handled twice, where it is bounded by what is in hand. */
  readonly mayRepeat?: number;
  /** Resolves when the servers are fit for the next fault. */
  ready?(): Promise<void>;
  /** One fault; resolves when another server has taken over. */
  harm(): Promise<void>;
}

describe('Failover under Redis Streams, where publishes wait for a replica', () => {
  const buses: DiscoBus[] = [];
  let servers: { stop(): Promise<void> };

  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop()));
    await servers.stop();
  });

  async function bus(options: RedisDriverOptions): Promise<DiscoBus> {
    const driver = redisDriver({ ...options, streams });
    const made = new DiscoBus({ driver, service: 'workers', shutdownTimeout: '3s' });
    buses.push(made);
    await made.start();
    return made;
  }

  async function consume(options: RedisDriverOptions, topics: number, journal: Journal): Promise<void> {
    const by = await bus(options);
    const handle = async ({ n }: { n: number }, { attempt }: { attempt: number }) => {
      await pause(5);
      journal.add({ type: 'done', n, attempt, at: Date.now() });
    };
    for (let topic = 0; topic < topics; topic++) await by.subscribe(`load-${topic}`, handle, policy);
  }

  async function survives(failover: Failover): Promise<void> {
    const { topics, rounds, boundMs, endpoint, mayRepeat = Number.POSITIVE_INFINITY } = failover;
    const journal = new Journal();
    const publisher = await bus(endpoint);
    for (let index = 0; index < consumers; index++) await consume(endpoint, topics, journal);
    const load = new StreamsLoad(topics, async (n, topic) => {
      // What waits is not to grow while the servers are made ready.
      while (load.accepted.size - journal.done.size > MOST_WAITING) await pause(5);
      await publisher.publish(`load-${topic}`, { n }, { delivery: 'at-least-once', timeout: '20s' });
    });
    const recoveries: number[] = [];
    const changes: [from: number, to: number][] = [];
    await load.during(scaled(10_000), async () => {
      for (let round = 0; round < rounds; round++) {
        await failover.ready?.();
        const from = Date.now() - SPARE_MS;
        // What is published from now on is accepted once a replica has it, and so all that was settled before: however far
        // the replica was behind. The first wait may end with messages that were on their way.
        for (let wait = 0; wait < 2; wait++) await load.flowsAgain(0, 20_000);
        const startedMs = performance.now();
        await failover.harm();
        recoveries.push(await load.flowsAgain(startedMs, 20_000));
        changes.push([from, Date.now()]);
      }
    });
    const { accepted, unknown, refused, sent } = load;
    const missing = () => [...accepted].filter((n) => !journal.done.has(n)).length;
    await until('all are handled', () => missing() === 0, 30_000).catch(() => undefined);
    await pause(300);
    const { duplicated } = journal;
    const faults = recoveries.length;
    const worstRecoveryMs = Math.max(...recoveries);
    const strays = repeatedOutside(changes, journal);
    const inBounds = duplicated <= mayRepeat && strays === 0 && worstRecoveryMs <= boundMs;
    const pass = missing() === 0 && inBounds;
    report({
      engine: 'streams',
      sent,
      accepted: accepted.size,
      faults,
      lost: missing(),
      duplicated,
      strays,
      unknown: unknown.size,
      refused: Object.fromEntries(refused),
      worstRecoveryMs,
      pass,
    });
    expect(faults).toBe(rounds);
    expect(missing()).toBe(0);
    expect(duplicated).toBeLessThanOrEqual(mayRepeat);
    expect(strays).toBe(0);
    expect(worstRecoveryMs).toBeLessThanOrEqual(boundMs);
    // Whoever publishes learns that too few replicas have it, or that it is not known; never what the servers told each other.
    expect([...refused.keys()].filter((code) => code !== 'DISCO_NOT_REPLICATED')).toEqual([]);
  }

  async function behindSentinels(): Promise<[RedisSentinel, RedisDriverOptions]> {
    const sentinel = await RedisSentinel.start();
    servers = sentinel;
    return [sentinel, { sentinel: { sentinels: [...sentinel.sentinels], name: sentinel.name } }];
  }

  /** The server that all Sentinels agree on, once they do and it is not `former`. */
  async function primaryOf(sentinel: RedisSentinel, former?: RedisServer): Promise<RedisServer> {
    let primary: RedisServer | undefined;
    const agreed = async () => {
      primary = await sentinel.currentPrimary();
      return primary !== undefined && primary !== former;
    };
    await until('the Sentinels agree on the primary', agreed, 15_000);
    return primary as RedisServer;
  }

  /** The former primary goes on for a moment, and whatever is settled there then is not on the new one. */
  it('the Sentinels change the roles as planned', async () => {
    const [sentinel, endpoint] = await behindSentinels();
    await survives({
      topics: 1,
      rounds: scaled(10, 2),
      boundMs: 3_000,
      endpoint,
      async harm() {
        const former = await primaryOf(sentinel);
        await sentinel.failover();
        await primaryOf(sentinel, former);
        await sentinel.demote(former);
      },
    });
  }, 300_000);

  it('the primary behind Sentinels is killed', async () => {
    const [sentinel, endpoint] = await behindSentinels();
    await survives({
      topics: 1,
      rounds: scaled(5, 2),
      boundMs: 10_000,
      mayRepeat: scaled(5, 2) * mayRepeatAtOnce,
      endpoint,
      ready: () => pause(2 * FAILOVER_TIMEOUT_MS),
      async harm() {
        const former = await primaryOf(sentinel);
        await former.kill();
        await primaryOf(sentinel, former);
        await former.boot();
        await sentinel.demote(former);
      },
    });
  }, 300_000);

  it('the primaries of a Cluster are killed in turn', async () => {
    const cluster = await RedisCluster.start();
    servers = cluster;
    let turn = 0;
    await survives({
      topics: 6,
      rounds: scaled(3, 2),
      // Beside other specs the nodes, six processes, have less of the machine.
      boundMs: scaled(5_000, 8_000),
      mayRepeat: scaled(3, 2) * mayRepeatAtOnce,
      endpoint: { cluster: { nodes: cluster.addresses } },
      async harm() {
        const primaries = await cluster.primaries();
        const former = primaries[turn++ % primaries.length];
        await former.kill();
        const gone = async () => !(await cluster.primaries()).includes(former);
        await until('a replica has taken over', gone, 15_000);
        await former.boot();
      },
    });
  }, 300_000);
});

/** How many messages were handled again although they were first handled while nothing changed. */
function repeatedOutside(changes: readonly (readonly [number, number])[], { entries }: Journal): number {
  const first = new Map<number, number>();
  let outside = 0;
  for (const { n, at } of entries) {
    const firstAt = first.get(n);
    if (firstAt === undefined) first.set(n, at);
    else if (!changes.some(([from, to]) => from <= firstAt && firstAt <= to)) outside++;
  }
  return outside;
}
