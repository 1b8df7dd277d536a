import { hostname } from 'node:os';
import { Redis } from 'ioredis';
import { redisDriver } from '../../lib/drivers/redis/index.js';
import { LockManager } from '../../lib/lock/lock-manager.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { CommandLine } from './support.js';

describe('disco-bus locks on a Cluster', () => {
  let cluster: RedisCluster;
  const cli = new CommandLine(() => ({ DISCO_BUS_URL: cluster.nodes[4].url }));
  const managers: LockManager[] = [];
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterEach(async () => {
    await cli.stop();
    await Promise.all(managers.splice(0).map((manager) => manager.close()));
  });
  afterAll(() => cluster.stop());

  async function locksOf(service: string): Promise<LockManager> {
    const driver = redisDriver({ cluster: { nodes: cluster.addresses } });
    const manager = new LockManager(driver.lockStore({ service }));
    managers.push(manager);
    await manager.connect();
    return manager;
  }

  /** How many of the locks each primary keeps. */
  async function keptByNode(keys: readonly string[]): Promise<number[]> {
    const counts: number[] = [];
    for (const { port } of await cluster.primaries()) {
      const node = new Redis({ port });
      const kept = await node.keys('disco:*');
      counts.push(keys.filter((key) => kept.some((each) => each.endsWith(`{${key}}`))).length);
      node.disconnect();
    }
    return counts;
  }

  it('list tells the locks of all nodes once each, however many pages; show finds each, whichever node has it', async () => {
    const [shop, billing] = [await locksOf('shop'), await locksOf('billing')];
    const keys = Array.from({ length: 2_400 }, (_, n) => `k${n}`);
    await Promise.all(keys.map((key, n) => (n % 2 ? shop : billing).acquire(key, { ttl: '5m' })));
    const kept = await keptByNode(keys);
    expect(kept).toHaveLength(3);
    for (const count of kept) expect(count).toBeGreaterThan(500);
    expect(kept.reduce((sum, count) => sum + count)).toBe(2_400);

    const rows = await cli.ask('locks', 'list', '--cluster');
    expect(rows.map(({ key }: any) => key)).toEqual([...keys].sort());
    expect(await cli.ask('locks', 'list', 'k1?', '--cluster')).toEqual([]);
    const tens = await cli.ask('locks', 'list', 'k77*', '--cluster');
    expect(tens.map(({ key }: any) => key)).toEqual(keys.filter((key) => key.startsWith('k77')).sort());

    for (const n of [0, 1, 2, 3, 4]) {
      const owner = { service: n % 2 ? 'shop' : 'billing', host: hostname(), pid: process.pid };
      expect(await cli.ask('locks', 'show', `k${n}`, '--cluster')).toMatchObject({
        ...{ key: `k${n}`, mode: 'exclusive', holders: [{ owner }] },
      });
    }
    const taken = await cli.ask('locks', 'release', 'k5', '--cluster', '--yes');
    expect(taken).toMatchObject({ key: 'k5', holders: 1 });
    expect((await cli.run(['locks', 'show', 'k5', '--cluster'])).exitCode).toBe(3);
    expect(await cli.ask('locks', 'list', '--cluster')).toHaveLength(2_399);
  }, 60_000);
});
