import { BundlingDriver } from '../../lib/bundling/bundling-driver.js';
import { RedisDriver, redisDriver } from '../../lib/drivers/redis/index.js';

import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { freePort, RedisServer } from '../support/redis-server.js';

let server: RedisServer;
const late: RedisServer[] = [];
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => Promise.all([server, ...late].map((each) => each.stop())));

const openSockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

const stallBroker = async () => {
  server.freeze();
  return async () => server.thaw();
};

describeDriver('redis pub/sub', {
  capabilities: new RedisDriver().capabilities,
  createDriver: () => redisDriver({ url: server.url }),
  topicAgreements: true,
  guarantees: ['at-most-once'],
  openHandles: openSockets,
  restartBroker: async () => {
    await server.kill();
    await server.boot();
  },
  stallBroker,
  unreachable: async () => {
    const port = await freePort();
    return {
      driver: redisDriver({ port, connectTimeout: '300ms' }),
      heal: async () => {
        late.push(await RedisServer.startOn(port));
      },
    };
  },
});

describeDriver('redis pub/sub, bundled', {
  capabilities: new RedisDriver().capabilities,
  createDriver: () => new BundlingDriver(redisDriver({ url: server.url, workers: 3 })),
  guarantees: ['at-most-once'],
  stallBroker,
});
