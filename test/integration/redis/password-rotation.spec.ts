import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { type RedisDriver, redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { rejection } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';

const quick = { heartbeat: 400, reconnect: { delay: 20, max: 200 }, connectTimeout: 3_000 } as const;
const quiet = { log: () => {}, warn: () => {}, error: () => {} };

/** Gives the user `app` another password on every server, and ends every connection that it has. */
async function rotate(servers: readonly RedisServer[], password: string): Promise<void> {
  for (const { port } of servers) {
    const admin = new Redis({ port });
    await admin.acl('SETUSER', 'app', 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
    await admin.client('KILL', 'USER', 'app');
    admin.disconnect();
  }
}

/** Publishes until `count` more have come, both guarantees and a lock. */
async function proof(bus: DiscoBus, locks: LockManager, name: string): Promise<void> {
  const got = new Set<unknown>();
  let done = () => {};
  const both = new Promise<void>((resolve) => {
    done = () => void (got.size === 2 && resolve());
  });
  const handle = (text: unknown) => {
    got.add(text);
    done();
  };
  const stored = await bus.subscribe(`stored-${name}`, handle);
  const told = await bus.subscribe(`told-${name}`, handle, { delivery: 'at-most-once' });
  await bus.publish(`stored-${name}`, 'stored');
  await bus.publish(`told-${name}`, 'told', { delivery: 'at-most-once' });
  await both;
  await (await locks.acquire(`lock-${name}`, { wait: '5s' })).release();
  await Promise.all([stored.close(), told.close()]);
}

async function surviveRotation(driver: RedisDriver, servers: readonly RedisServer[], next: () => string) {
  const bus = new DiscoBus({ driver, service: 'tests', logger: quiet });
  const locks = new LockManager(driver.lockStore());
  try {
    await Promise.all([bus.start(), locks.connect()]);
    await proof(bus, locks, 'before');
    for (const name of ['once', 'twice']) {
      await rotate(servers, next());
      await proof(bus, locks, name);
    }
  } finally {
    await Promise.all([bus.stop(), locks.close()]);
  }
}

describe('A password that is asked for', () => {
  let server: RedisServer;
  let asked = 0;
  let current = 'first';
  const password = async () => {
    asked++;
    return current;
  };
  const next = () => {
    current += '+';
    return current;
  };
  const target = () => ({ port: server.port, username: 'app', ...quick });

  beforeAll(async () => {
    server = await RedisServer.start();
    await rotate([server], current);
  });
  afterAll(() => server.stop());

  it('is found again after each change, over all connections', async () => {
    await surviveRotation(redisDriver({ ...target(), password }), [server], next);
    expect(asked).toBeGreaterThanOrEqual(6);
  });

  it('may be given beside a url that has none', async () => {
    const driver = redisDriver({ url: server.url, username: 'app', password: () => current });
    await driver.connect();
    await driver.close();
    expect(() => redisDriver({ url: 'redis://app:x@h', password })).toThrow(
      'redisDriver: the url and "password" contradict each other',
    );
  });

  it.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('vault away');
      },
      'the function failed: vault away',
    ],
    ['rejects', () => Promise.reject(new Error('vault away')), 'the function failed: vault away'],
    ['gives nothing', () => undefined, 'must give a string, and gave a value of type undefined'],
    ['gives an empty one', () => '', 'must give a string, and gave an empty one'],
    ['never answers', () => new Promise(() => {}), 'did not answer within 300 ms'],
  ])('fails the connecting when the function %s', async (_name, source, told) => {
    const options = { ...target(), password: source as () => string, connectTimeout: 300 };
    const driver = redisDriver(options);
    const startedMs = performance.now();
    const error = await rejection(driver.connect());
    expect(error.message).toContain(told);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await driver.close();
    const locks = new LockManager(redisDriver(options).lockStore());
    expect((await rejection(locks.connect())).message).toContain(told);
    await locks.close();
  });

  it('is not shown', async () => {
    const driver = redisDriver({ ...target(), password: () => 'wrong-and-secret' });
    const error = await rejection(driver.connect());
    expect(error).toMatchObject({ code: 'DISCO_DRIVER', message: expect.stringContaining('WRONGPASS') });
    expect(JSON.stringify(error) + error.stack).not.toContain('wrong-and-secret');
    await driver.close();
  });
});

describe('A password that is asked for, in a Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
    await rotate(cluster.nodes, 'first');
  }, 60_000);
  afterAll(() => cluster.stop());

  it('is found again after each change, on every node', async () => {
    let current = 'first';
    const next = () => {
      current += '+';
      return current;
    };
    const options = { cluster: { nodes: cluster.addresses }, username: 'app', ...quick };
    await surviveRotation(redisDriver({ ...options, password: () => current }), cluster.nodes, next);
  }, 60_000);
});
