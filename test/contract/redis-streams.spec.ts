import { BundlingDriver } from '../../lib/driver/bundling-driver.js';
import { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../lib/drivers/redis/redis-options.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import type { DriverHarness } from '../../lib/testing/contract/driver-harness.js';
import { freePort, RedisServer } from '../support/redis-server.js';

const VISIBILITY_MS = 600;
const streams = { claimAfter: VISIBILITY_MS };
const { capabilities } = new RedisDriver();

const openHandles = () =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'TCPSocketWrap').length;

describe('Redis Streams', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'everysec');
  });
  afterAll(() => server.stop());

  const harness: DriverHarness = {
    capabilities,
    guarantees: ['at-least-once'],
    createDriver: () => driverOf({ url: server.url }),
    visibilityMs: VISIBILITY_MS,
    openHandles,
    async restartBroker() {
      await server.kill();
      await server.boot();
    },
    async unreachable() {
      const port = await freePort();
      let healed: RedisServer | undefined;
      const driver = driverOf({ port, connectTimeout: 300 });
      // Closing the driver ends the test, and with it the server that only this driver uses.
      const close = driver.close.bind(driver);
      driver.close = async () => {
        await close();
        await healed?.stop();
      };
      return {
        driver,
        async heal() {
          healed = await RedisServer.startOn(port);
        },
      };
    },
  };

  describeDriver('redis streams', harness);
  describeDriver('redis streams, bundled', {
    ...harness,
    createDriver: () => new BundlingDriver(driverOf({ url: server.url })),
  });
});

function driverOf(options: RedisDriverOptions): RedisDriver {
  return new RedisDriver({ streams, ...options });
}
