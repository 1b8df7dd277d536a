import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { bytes } from '../../support/redis-harness.js';
import { freePort } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { member, stored, streamsStage } from './support.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };

describe('A server of another shape than was said', () => {
  it('a Cluster behind a plain URL is refused at the start, and told how to name it', async () => {
    const cluster = await RedisCluster.start();
    const { port } = cluster.nodes[0];
    const bus = new DiscoBus({ driver: redisDriver({ port }), service: 'shop', logger: silent });
    try {
      await expect(bus.start()).rejects.toMatchObject({
        code: 'DISCO_CONFIGURATION',
        message: expect.stringMatching(`${port} is a node of a Redis Cluster.*cluster: \\{ nodes: `),
      });
      const admin = new Redis({ port });
      const clients = String(await admin.client('LIST'));
      admin.disconnect();
      expect(clients).not.toContain('name=disco');
    } finally {
      await bus.stop();
      await cluster.stop();
    }
  }, 60_000);
});

describe('A server that takes no writes', () => {
  const redis = streamsStage();

  it('is asked again with growing waits, and what it refused is known not to be stored', async () => {
    const driver = await redis.drivers.connected({ url: redis.server.url });
    await driver.publish('orders', bytes('before'), stored());
    await driver.subscribe('other', member(), () => {});
    await redis.admin.call('REPLICAOF', '127.0.0.1', String(await freePort()));
    const received = async () =>
      Number(/total_connections_received:(\d+)/.exec(await redis.admin.info('stats'))![1]);
    const before = await received();
    let statuses = 0;
    driver.onStatus(() => statuses++);
    const publishing = driver.publish('orders', bytes('refused'), stored({ timeoutMs: 2_500 }));
    await expect(publishing).rejects.toMatchObject({ code: 'DISCO_PUBLISH_TIMEOUT' });
    const connections = (await received()) - before;
    expect(connections).toBeGreaterThan(2);
    expect(connections).toBeLessThan(40);
    expect(statuses).toBeLessThan(20);
    await redis.admin.call('REPLICAOF', 'NO', 'ONE');
    await until('it is taken again', () =>
      driver.publish('orders', bytes('after'), stored()).then(Boolean, () => false),
    );
    expect(await redis.admin.xlen('disco:{orders}')).toBe(2);
  }, 30_000);
});
