import { Cluster, Redis } from 'ioredis';
import { RedisCluster } from '../../support/redis-cluster.js';
import { bytes, Drivers, fanOut, Inbox, once, StatusLog } from '../../support/redis-harness.js';
import { RedisSentinel } from '../../support/redis-sentinel.js';
import type { RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';

const quick = { heartbeat: 400, reconnect: { delay: 20, max: 200 } } as const;

/** Publishes a numbered frame every 20 ms until one sent after `since` has come. */
async function flowsAgain(publish: (text: string) => Promise<unknown>, inbox: Inbox): Promise<void> {
  const deadline = Date.now() + 20_000;
  const before = inbox.texts.length;
  for (let index = 0; Date.now() < deadline; index++) {
    await publish(`probe ${index}`).catch(() => undefined);
    await pause(20);
    if (inbox.texts.length > before) return;
  }
  throw new Error('no message flowed in 20 s');
}

describe('Redis pub/sub in a Cluster', () => {
  const drivers = new Drivers();
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 40_000);
  afterEach(async () => {
    for (const node of cluster.nodes) node.thaw();
    await drivers.close();
  });
  afterAll(() => cluster.stop());

  const connected = () => drivers.connected({ cluster: { nodes: cluster.addresses }, ...quick });

  it('carries topics and patterns between drivers, in order, and tells no count of receivers', async () => {
    const [one, two] = [await connected(), await connected()];
    const [exact, wide] = [new Inbox(), new Inbox()];
    await one.subscribe('orders.eu', fanOut, exact.take);
    await one.subscribe('orders.*', fanOut, wide.take);
    const texts = Array.from({ length: 300 }, (_, index) => String(index));
    const receipts = await Promise.all(texts.map((text) => two.publish('orders.eu', bytes(text), once())));
    await Promise.all([exact.received(300), wide.received(300)]);
    expect(exact.texts).toEqual(texts);
    expect(wide.texts).toEqual(texts);
    expect(receipts[0]).toEqual({});
  });

  it('carries topics by their bare names', async () => {
    const driver = await connected();
    const inbox = new Inbox();
    await driver.subscribe('bare.orders', { ...fanOut, bare: true }, inbox.take);
    await driver.subscribe('bare.*', { ...fanOut, bare: true }, inbox.take);
    const client = new Cluster(cluster.addresses);
    await client.publish('bare.orders', 'from elsewhere');
    await inbox.received(2);
    await driver.publish('bare.orders', bytes('from here'), once({ bare: true }));
    await inbox.received(4);
    expect(inbox.texts).toEqual(['from elsewhere', 'from elsewhere', 'from here', 'from here']);
    client.disconnect();
  });

  it('takes a handed-in Cluster, and leaves it open', async () => {
    const client = new Cluster(cluster.addresses);
    const driver = await drivers.connected({ client, ...quick });
    const inbox = new Inbox();
    await driver.subscribe('handed', fanOut, inbox.take);
    await driver.publish('handed', bytes('x'), once());
    await inbox.gets('x');
    await driver.close();
    expect(await client.set('k', 'v')).toBe('OK');
    client.disconnect();
  });

  it('moves away from a frozen node', async () => {
    const driver = await connected();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('f', fanOut, inbox.take);
    const used = await inUse('publish');
    used.freeze();
    await log.seen('disconnected');
    await flowsAgain((text) => driver.publish('f', bytes(text), once({ timeoutMs: 200 })), inbox);
    used.thaw();
    expect(log.of('error')).toEqual([]);
  });

  it('goes on when the node in use is killed', async () => {
    const driver = await connected();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('k', fanOut, inbox.take);
    const used = await inUse('subscribe');
    await used.kill();
    await log.seen('gap');
    await flowsAgain((text) => driver.publish('k', bytes(text), once({ timeoutMs: 500 })), inbox);
    await used.boot();
    expect(log.of('gap')).toHaveLength(1);
  });

  /** The node that a connection of that role leads to. */
  async function inUse(role: string): Promise<RedisServer> {
    for (const node of cluster.nodes) {
      const admin = new Redis({ port: node.port });
      const clients = String(await admin.client('LIST'));
      admin.disconnect();
      if (clients.split('\n').some((line) => line.includes(`name=disco:disco:${role} `))) return node;
    }
    throw new Error(`no node has a ${role} connection`);
  }
});

describe('Redis pub/sub behind Sentinels', () => {
  const drivers = new Drivers();
  let group: RedisSentinel;

  beforeAll(async () => {
    group = await RedisSentinel.start();
  }, 40_000);
  afterEach(() => drivers.close());
  afterAll(() => group.stop());

  it('follows the primary to the promoted replica', async () => {
    const sentinel = { sentinels: [...group.sentinels], name: group.name };
    const driver = await drivers.connected({ sentinel, ...quick });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('s', fanOut, inbox.take);
    await driver.publish('s', bytes('before'), once());
    await inbox.gets('before');
    await group.primary.kill();
    await log.seen('disconnected');
    const waiting = driver.publish('s', bytes('during'), once({ timeoutMs: 20_000 }));
    await log.seen('connected', 1, 20_000);
    await waiting;
    await flowsAgain((text) => driver.publish('s', bytes(text), once()), inbox);
    expect(log.of('gap')).toHaveLength(1);
  });
});
