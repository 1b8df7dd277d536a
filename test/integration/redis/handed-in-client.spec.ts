import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { type RedisDriver, redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';

/** Longer than any of the times below, so that whatever ends a command, ends one. */
const IDLE_MS = 300;
const idle = () => pause(IDLE_MS);
const quiet = { log: () => {}, warn: () => {}, error: () => {} };
const broken = { lua: 'return redis.error_reply("not the command")', numberOfKeys: 0 };

/** Options of an application's own client, each of which changes replies or ends commands. */
const settings: [string, RedisOptions][] = [
  ['commandTimeout', { commandTimeout: 100 }],
  ['blockingTimeout', { blockingTimeout: 100 } as RedisOptions],
  ['socketTimeout', { socketTimeout: 100 }],
  ['stringNumbers', { stringNumbers: true }],
  ['monitor', { monitor: true }],
  ['readOnly', { readOnly: true }],
  ['enableAutoPipelining', { enableAutoPipelining: true }],
  ['maxRetriesPerRequest', { maxRetriesPerRequest: 0 }],
  ['no offline queue', { enableOfflineQueue: false }],
  ['no reconnecting', { retryStrategy: () => null }],
  ['no ready check', { enableReadyCheck: false }],
  ['RESP2', { protocol: 2 } as RedisOptions],
  ['replies of RESP3', { replyMapping: 'resp3' } as unknown as RedisOptions],
  [
    'scripts by the names of commands',
    { scripts: { publish: broken, subscribe: broken, evalsha: broken, xreadgroup: broken, ping: broken } },
  ],
  ['eager connecting', { lazyConnect: false }],
];

let made = 0;
/** Each test has keys and channels of its own, as they run at the same time. */
const prefix = () => `test${++made}`;

/** What an application does with a bus, with pauses between. */
async function tryAll(driver: RedisDriver): Promise<void> {
  const bus = new DiscoBus({ driver, service: 'tests', logger: quiet });
  const locks = new LockManager(driver.lockStore());
  const got: string[] = [];
  let arrived = () => {};
  const handle = (text: unknown) => {
    got.push(text as string);
    arrived();
  };
  const heard = (count: number) =>
    new Promise<void>((resolve) => {
      arrived = () => void (got.length >= count && resolve());
      arrived();
    });
  try {
    await Promise.all([bus.start(), locks.connect()]);
    await bus.subscribe('orders', handle);
    await bus.subscribe('news', handle, { delivery: 'at-most-once' });
    const held = await locks.acquire('stock', { ttl: '10s' });
    const waiting = locks.acquire('stock', { wait: '8s' });
    await idle();
    await bus.publish('orders', 'stored');
    const { receivers } = await bus.publish('news', 'told', { delivery: 'at-most-once' });
    // A Cluster does not say how many there are.
    expect(receivers ?? 1).toBe(1);
    await heard(2);
    await held.release();
    await (await waiting).release();
    await idle();
    await bus.publish('orders', 'later', { delay: '50ms' });
    await heard(3);
    expect(got.sort()).toEqual(['later', 'stored', 'told']);
    expect(await bus.deadLetters('orders').count()).toBe(0);
  } finally {
    await Promise.all([bus.stop(), locks.close()]);
  }
}

describe('A client that is handed in', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  it.concurrent.each(settings)('keeps %s to itself', async (_name, options) => {
    const client = new Redis({ port: server.port, lazyConnect: true, ...options });
    client.on('error', () => undefined);
    try {
      await tryAll(redisDriver({ client, prefix: prefix() }));
    } finally {
      client.disconnect();
    }
  });

  it('keeps what its static commands were given to itself, and its listeners', async () => {
    const client = new Redis({ port: server.port, lazyConnect: true });
    client.defineCommand('publish', broken);
    const before = client.eventNames().length;
    try {
      await tryAll(redisDriver({ client }));
      expect([client.status, client.eventNames().length]).toEqual(['wait', before]);
    } finally {
      client.disconnect();
    }
  });

  it('is refused where it leads to a replica, save for listening', () => {
    const sentinels = [{ host: '127.0.0.1', port: 1 }];
    const client = new Redis({ sentinels, name: 'main', role: 'slave', lazyConnect: true });
    const refusal =
      'redisDriver: ioredis\' role "slave" leads to a replica, which takes no writes; give it as the driver\'s "reader"';
    expect(() => redisDriver({ client })).toThrow(refusal);
    expect(() => redisDriver({ sentinel: { sentinels, name: 'main', role: 'slave' } })).toThrow(refusal);
    redisDriver({ port: server.port, reader: { client } });
  });
});

describe('A Cluster client that is handed in', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  const own: [string, ClusterOptions][] = [
    ['scaleReads', { scaleReads: 'slave' }],
    ['maxRedirections', { maxRedirections: 0 }],
    ['scripts by the names of commands', { scripts: { publish: broken, evalsha: broken } }],
    ['enableAutoPipelining', { enableAutoPipelining: true }],
    ['all settings of its nodes', { redisOptions: Object.assign({}, ...settings.map(([, each]) => each)) }],
  ];

  it.concurrent.each(own)('keeps %s to itself', async (_name, options) => {
    const client = new Cluster(cluster.addresses, { lazyConnect: true, ...options });
    client.on('error', () => undefined);
    try {
      await tryAll(redisDriver({ client, prefix: prefix() }));
      await tryAll(redisDriver({ cluster: { nodes: cluster.addresses, options }, prefix: prefix() }));
    } finally {
      client.disconnect();
    }
  });
});
