import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisLockStore } from '../../../lib/drivers/redis/locks/redis-lock-store.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { redlockStore } from '../../../lib/lock/redlock-store.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { KeepingLogger } from '../../unit/bus/support.js';

const DAY_MS = 86_400_000;

/** Keys that hold what was stored at least once, and where its groups are. */
const kept = (topic: string, group: string) => [
  `disco:{${topic}}`,
  `disco:{${topic}}:counts`,
  `disco:{${topic}}:retry:${group}`,
  `disco:{${topic}}:state:${group}`,
];

describe('Keys in Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  const logger = new KeepingLogger();
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
  });
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await admin.flushall();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  /** Every key, with the milliseconds it has left; -1 without an expiry. */
  async function keys(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for await (const page of admin.scanStream({ match: '*' })) {
      for (const key of page as string[]) found.set(key, await admin.pttl(key));
    }
    return found;
  }
  const lasting = async () => [...(await keys())].flatMap(([key, ms]) => (ms === -1 ? [key] : [])).sort();

  async function bus(service = 'shop'): Promise<DiscoBus> {
    const driver = redisDriver({ url: server.url, streams: { claimAfter: '1s', topicDiscovery: 100 } });
    const made = new DiscoBus({
      driver,
      service,
      logger,
      defaults: { retry: { attempts: 2, backoff: { delay: 20 } } },
    });
    closers.push(() => made.stop());
    await made.start();
    return made;
  }

  async function messages(): Promise<void> {
    const one = await bus();
    const other = await bus('audit');
    const seen: string[] = [];
    const orders = await one.subscribe('orders', (payload: string, { attempt }) => {
      if (payload === 'bad' || (payload === 'again' && attempt === 1)) throw new Error('no');
      seen.push(payload);
    });
    await one.subscribe('keyed', () => seen.push('keyed'), { orderBy: 'key' });
    await other.subscribe('orders.*', () => seen.push('pattern'));
    await one.subscribe('news', () => seen.push('news'), { delivery: 'at-most-once' });
    await one.publishBatch('orders', ['good', 'bad', 'again', 'good']);
    await one.publish('orders', 'once', { id: 'same' });
    await one.publish('orders', 'later', { delay: 50 });
    await one.publish('orders.new', 1);
    await one.publish('keyed', 1, { key: 'k' });
    await one.publish('news', 1, { delivery: 'at-most-once' });
    await other.publish('nobody', 1);
    await other.publish('nobody.later', 1, { delay: 30 });
    await other.publish('nobody.much.later', 1, { delay: '1h' });
    await until('all is handled', () => seen.length === 8);
    await until('one is a dead letter', async () => (await one.deadLetters('orders').count()) === 1);
    await until('the delayed one is there', async () => (await admin.xlen('disco:{nobody.later}')) === 1);
    await orders.close();
    await Promise.all([one.stop(), other.stop()]);
  }

  async function requests(): Promise<void> {
    const options = { url: server.url, logger };
    const rpc = new DiscoBusServer(options);
    rpc.addHandler('sum', async (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0));
    closers.push(() => rpc.close());
    await new Promise<void>((resolve, reject) => rpc.listen((error) => (error ? reject(error) : resolve())));
    const client = new DiscoBusClient(options);
    closers.push(() => client.close());
    expect(await lastValueFrom(client.send('sum', [1, 2]))).toBe(3);
    await client.close();
    await rpc.close();
  }

  async function locks(): Promise<void> {
    const store = (prefix?: string) => new RedisLockStore({ url: server.url, prefix });
    const three = redlockStore(['disco:r1', 'disco:r2', 'disco:r3'].map(store));
    const managers = [new LockManager(store()), new LockManager(store()), new LockManager(three)];
    closers.push(...managers.map((each) => () => each.close()));
    await Promise.all(managers.map((each) => each.connect()));
    const [one, other, red] = managers;
    const held = await one.acquire('plain');
    const waiting = other.acquire('plain', { wait: '10s', fair: true });
    await until('it waits', async () => (await admin.exists('disco:wait:{plain}')) === 1);
    await held.release();
    await (await waiting).release();
    await (await one.acquire(['{o}:a', '{o}:b'])).release();
    await (await one.semaphore('pool', 2).acquire()).release();
    await (await one.readWrite('doc').read.acquire()).release();
    await (await one.readWrite('doc').write.acquire()).release();
    await (await red.acquire('three')).release();
    // Never given back, never waited for to its end.
    await one.acquire('left', { ttl: '5s' });
    await one.semaphore('left-pool', 2).acquire({ ttl: '5s' });
    await Promise.all(managers.map((each) => each.close()));
  }

  it('that have no expiry when all is closed hold messages, dead letters, and where their groups are', async () => {
    await messages();
    await requests();
    await locks();
    expect(await lasting()).toEqual(
      [
        ...kept('orders', 'shop'),
        'disco:{orders}:dead:shop',
        ...kept('keyed', 'shop'),
        ...kept('orders.new', 'audit@orders.*'),
      ].sort(),
    );
  });

  it('expire after what docs/reference/redis-keys.md says', async () => {
    await messages();
    await locks();
    const found = await keys();
    const bound = (pattern: RegExp, ms: number) => {
      const matching = [...found].filter(([key]) => pattern.test(key));
      expect(matching).not.toEqual([]);
      for (const [key, left] of matching) expect([key, left > 0 && left <= ms]).toEqual([key, true]);
    };
    bound(/^disco:stream-(topics|patterns)$/, 30 * DAY_MS);
    bound(/:read$/, DAY_MS);
    bound(/:fence:/, 7 * DAY_MS);
    bound(/:dedup:/, 120_000);
    bound(/^disco:\{nobody(\.later)?\}$/, DAY_MS);
    bound(/^disco:\{nobody\.much\.later\}:later(-bodies)?$/, DAY_MS + 3_600_000);
  });

  it('of a member that died are gone a day later at most, also where no other member is left', async () => {
    const driver = redisDriver({ url: server.url, streams: { claimAfter: '1s' } });
    closers.push(() => driver.close());
    await driver.connect();
    const options = {
      delivery: 'at-least-once',
      group: 'g',
      maxInFlight: 1,
      startFrom: 'beginning',
    } as const;
    await driver.subscribe('orders', options, () => undefined);
    const left = await admin.pttl('disco:{orders}:members:g');
    await driver.close();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(DAY_MS + 1_000);
    expect(await admin.exists('disco:{orders}:members:g')).toBe(0);
  });

  it('that list topics and have expired are made again by a subscription', async () => {
    const one = await bus();
    await one.publish('orders', 1);
    await admin.del('disco:stream-topics');
    await one.subscribe('orders', () => undefined);
    await until('it is listed', async () => (await admin.zscore('disco:stream-topics', 'orders')) !== null);
  });

  it('of delayed publishes are kept for a group that comes', async () => {
    const one = await bus();
    await one.publish('orders', 1, { delay: '1h' });
    expect((await lasting()).filter((key) => key.includes('later'))).toEqual([]);
    await one.subscribe('orders', () => undefined);
    expect((await lasting()).filter((key) => key.includes('later'))).toEqual([
      'disco:{orders}:later',
      'disco:{orders}:later-bodies',
    ]);
    await one.stop();
  });
});
