import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisCluster } from '../../support/redis-cluster.js';
import { RedisServer } from '../../support/redis-server.js';

/** An engine whose drivers reach each other. */
export interface Engine {
  readonly name: string;
  driver(): DiscoDriver;
  /** The ports of its servers; none for memory. */
  ports(): readonly number[];
}

let redis: RedisServer;
let cluster: RedisCluster;
let broker: MemoryBroker;

/** What every service is to do alike on; for the file that calls {@link useEngines}. */
export const engines: readonly Engine[] = [
  { name: 'memory', driver: () => memoryDriver({ broker }), ports: () => [] },
  { name: 'redis', driver: () => redisDriver({ url: redis.url }), ports: () => [redis.port] },
  {
    name: 'redis cluster',
    driver: () => redisDriver({ cluster: { nodes: [...cluster.addresses] } }),
    ports: () => cluster.nodes.map(({ port }) => port),
  },
];

/** Servers of the file's own; returns how to reach what the engines stand on. */
export function useEngines() {
  beforeAll(async () => {
    broker = new MemoryBroker();
    [redis, cluster] = await Promise.all([RedisServer.start(), RedisCluster.start()]);
  }, 60_000);
  afterAll(() => Promise.all([redis.stop(), cluster.stop()]));
  return { redis: () => redis, broker: () => broker };
}
