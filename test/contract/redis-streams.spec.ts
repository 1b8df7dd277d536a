import { BundlingDriver } from '../../lib/bundling/bundling-driver.js';
import type { DiscoDriver } from '../../lib/driver/driver.js';
import { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';
import { checkDriver, describeDriver } from '../../lib/testing/contract/driver-contract.js';
import type { DriverHarness } from '../../lib/testing/contract/driver-harness.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { freePort, RedisServer } from '../support/redis-server.js';

const VISIBILITY_MS = 600;
const MAX_DEAD_LETTERS = 5;
const MAX_CRASHES = 2;
const streams = { claimAfter: VISIBILITY_MS, maxDeadLetters: MAX_DEAD_LETTERS, maxCrashes: MAX_CRASHES };
const { capabilities } = new RedisDriver();

const openHandles = () =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'TCPSocketWrap').length;

describe('Redis Streams', () => {
  let server: RedisServer;
  /** Those that came only after a driver looked for them. */
  const late: RedisServer[] = [];

  beforeAll(async () => {
    server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'everysec');
  });
  afterAll(() => Promise.all([server, ...late].map((each) => each.stop())));

  const harness: DriverHarness = {
    capabilities,
    guarantees: ['at-least-once'],
    createDriver: () => driverOf({ url: server.url }),
    topicAgreements: true,
    inspection: true,
    watchTurns: true,
    release: true,
    steering: true,
    maxDeadLetters: MAX_DEAD_LETTERS,
    visibilityMs: VISIBILITY_MS,
    openHandles,
    async restartBroker() {
      await server.kill();
      await server.boot();
    },
    async stallBroker() {
      server.freeze();
      return async () => server.thaw();
    },
    async unreachable() {
      const port = await freePort();
      const driver = driverOf({ port, connectTimeout: 300 });
      return {
        driver,
        async heal() {
          late.push(await RedisServer.startOn(port));
        },
      };
    },
  };

  describeDriver('redis streams', harness);
  describeDriver('redis streams, bundled', {
    ...harness,
    createDriver: () => new BundlingDriver(driverOf({ url: server.url })),
    topicAgreements: undefined,
    watchTurns: undefined,
    inspection: undefined,
    steering: undefined,
    maxDeadLetters: undefined,
  });

  it.each(['dead-member', 'crashed-out'])(
    '%s where all connections of a member go and never come back, it has died',
    async (id) => {
      const proxies = new Map<DiscoDriver, FaultProxy>();
      const cutOff: DriverHarness = {
        ...harness,
        maxCrashes: MAX_CRASHES,
        async createDriver() {
          const proxy = await FaultProxy.start(server.port);
          const driver = driverOf({ url: proxy.url });
          proxies.set(driver, proxy);
          return driver;
        },
        kill: async (driver) => proxies.get(driver)?.stop(),
      };
      const [result, ...others] = await checkDriver(cutOff, (each) => each === id);
      await Promise.all(Array.from(proxies.values(), (proxy) => proxy.stop().catch(() => undefined)));
      expect(others).toEqual([]);
      expect(result).toMatchObject({ outcome: 'passed' });
    },
    30_000,
  );
});

function driverOf(options: RedisDriverOptions): RedisDriver {
  return new RedisDriver({ streams, ...options });
}
