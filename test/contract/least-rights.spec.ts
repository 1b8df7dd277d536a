import { Redis } from 'ioredis';
import { RedisLockStore } from '../../lib/drivers/redis/locks/redis-lock-store.js';
import { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { describeDriver } from '../../lib/testing/contract/driver-contract.js';
import { describeLockStore } from '../../lib/testing/lock-store-contract.js';
import { documentedRules } from '../support/acl-rules.js';
import { RedisServer } from '../support/redis-server.js';

const { capabilities } = new RedisDriver();
/** Another than the user of a whole run under the documented rights. */
const [username, password] = ['documented', 'pw'];

describe.each([
  ['at-least-once' as const, []],
  // The contract uses bare channels of all names, and so needs more than the documented ones.
  ['at-most-once' as const, ['allchannels']],
])('A user with the documented rights, %s', (guarantee, more) => {
  let server: RedisServer;
  let admin: Redis;
  const options = () => ({ port: server.port, username, password });

  beforeAll(async () => {
    // `locks.list` looks through the keys.
    const rules = [...documentedRules('Everything'), ...more, '+scan'];
    server = await RedisServer.start('--user', username, 'on', `>${password}`, ...rules);
    admin = new Redis({ port: server.port });
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  describeDriver('redis, least rights', {
    capabilities,
    guarantees: [guarantee],
    createDriver: () => new RedisDriver({ ...options(), streams: { claimAfter: 600 } }),
    topicAgreements: true,
    watchTurns: true,
    release: true,
    visibilityMs: 600,
  });

  if (guarantee === 'at-least-once') {
    describeLockStore('redis, least rights', {
      createStore: () => new RedisLockStore(options()),
      forget: async () => void (await admin.flushall()),
      inspection: true,
      forcedRelease: true,
    });
  }
});
