import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { pause, until } from '../support/waiting.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { StreamsLoad } from './streams-load.js';

/** What happened while nothing moved. */
const still = { faults: 0, keys: 0, redirections: 0, worstRecoveryMs: 0 };
/** How long a slot stays where it is. */
const STAY_MS = 300;
const silent = { log() {}, warn() {}, error() {} };

describe('Slots that move from one primary of a Cluster to another, under load', () => {
  const moves = scaled(20, 3);
  let cluster: RedisCluster;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => cluster.stop());

  async function bus(): Promise<DiscoBus> {
    const driver = redisDriver({ cluster: { nodes: cluster.addresses }, streams: { claimAfter: '3s' } });
    const made = new DiscoBus({ driver, service: 'workers', shutdownTimeout: '3s', logger: silent });
    closing.push(() => made.stop());
    await made.start();
    return made;
  }

  /** Moves the slot of a key again and again, and resolves with how many keys went. */
  async function move(key: string, flowsAgain: (sinceMs: number) => Promise<number>) {
    const figures = { ...still };
    const before = await cluster.redirections();
    for (; figures.faults < moves; figures.faults++) {
      await pause(STAY_MS);
      const startedMs = performance.now();
      figures.keys += await cluster.moveSlotOf(key);
      figures.worstRecoveryMs = Math.max(figures.worstRecoveryMs, await flowsAgain(startedMs));
    }
    figures.redirections = (await cluster.redirections()) - before;
    return figures;
  }

  it('a stream at least once: nothing is lost, and nothing is handled twice', async () => {
    const [publisher, consumer] = [await bus(), await bus()];
    const handled = new Map<number, number>();
    const handle = ({ n }: { n: number }) => void handled.set(n, (handled.get(n) ?? 0) + 1);
    await consumer.subscribe('moved', handle, { delivery: 'at-least-once', concurrency: 8 });
    const load = new StreamsLoad(1, (n) =>
      publisher.publish('moved', { n }, { delivery: 'at-least-once', timeout: '20s' }),
    );
    let figures = still;
    await load.during(scaled(10_000), async () => {
      await load.flowsAgain(0, 20_000);
      figures = await move('disco:{moved}', (sinceMs) => load.flowsAgain(sinceMs, 20_000));
    });
    const missing = () => [...load.accepted].filter((n) => !handled.has(n)).length;
    await until('all are handled', () => missing() === 0, 30_000).catch(() => undefined);
    const duplicated = [...handled.values()].filter((times) => times > 1).length;
    const { sent, accepted, unknown, refused } = load;
    const pass = missing() === 0 && refused.size === 0 && figures.faults === moves;
    report({
      ...{ engine: 'streams', sent, accepted: accepted.size, unknown: unknown.size, ...figures },
      ...{ lost: missing(), duplicated, refused: Object.fromEntries(refused), pass },
    });
    // Its stream, and what its group has, went each time.
    expect(figures.keys).toBeGreaterThanOrEqual(2 * moves);
    expect({ lost: missing(), unknown: unknown.size, refused: [...refused] }).toEqual({
      ...{ lost: 0, unknown: 0, refused: [] },
    });
    expect(duplicated).toBe(0);
    expect(figures.redirections).toBeGreaterThanOrEqual(moves);
  }, 120_000);

  it('a channel at most once: it lies in no slot, and nothing is missed', async () => {
    const [publisher, consumer] = [await bus(), await bus()];
    const got = new Set<number>();
    await consumer.subscribe('heard', ({ n }: { n: number }) => void got.add(n), {
      delivery: 'at-most-once',
    });
    const load = new StreamsLoad(1, (n) =>
      publisher.publish('heard', { n }, { delivery: 'at-most-once', timeout: '20s' }),
    );
    let figures = still;
    await load.during(scaled(10_000), async () => {
      await load.flowsAgain(0, 20_000);
      figures = await move('disco:{heard}', async (sinceMs) => {
        const before = got.size;
        await until('it is heard again', () => got.size > before + 20, 20_000);
        return performance.now() - sinceMs;
      });
    });
    await until('all is heard', () => [...load.accepted].every((n) => got.has(n)), 5_000).catch(
      () => undefined,
    );
    const lost = [...load.accepted].filter((n) => !got.has(n)).length;
    report({ sent: load.sent, accepted: load.accepted.size, ...figures, lost, pass: lost === 0 });
    expect({ faults: figures.faults, lost }).toEqual({ faults: moves, lost: 0 });
  }, 120_000);

  it('a lock: one holder at a time, by increasing fencing tokens', async () => {
    const managers = [0, 1, 2].map(
      () => new LockManager(new RedisLockStore({ cluster: { nodes: cluster.addresses } })),
    );
    closing.push(() => Promise.all(managers.map((each) => each.close())));
    let [holders, overlaps, grants, running] = [0, 0, 0, true];
    let lastToken = 0n;
    let disorders = 0;
    const failures: unknown[] = [];
    const compete = async (locks: LockManager) => {
      await locks.connect();
      while (running) {
        await locks
          .using('report', { ttl: '5s', wait: '20s' }, async (lock) => {
            if (holders++ > 0) overlaps++;
            if (lock.fencingToken <= lastToken) disorders++;
            lastToken = lock.fencingToken;
            grants++;
            await pause(2);
            holders--;
          })
          .catch((error: unknown) => failures.push(error));
      }
    };
    const competing = managers.map(compete);
    const figures = await move('disco:lock:{report}', async (sinceMs) => {
      const before = grants;
      await until('it is granted again', () => grants > before + 5, 20_000);
      return performance.now() - sinceMs;
    });
    running = false;
    await Promise.all(competing);
    const pass = overlaps === 0 && disorders === 0 && failures.length === 0;
    report({ ...{ engine: 'locks', sent: grants, ...figures, overlaps, disorders }, pass });
    expect({ overlaps, disorders, failures }).toEqual({ overlaps: 0, disorders: 0, failures: [] });
    // It was held, or its fencing token was kept, where it went.
    expect(figures.keys).toBeGreaterThanOrEqual(moves);
    expect(figures.redirections).toBeGreaterThanOrEqual(moves);
  }, 120_000);
});
