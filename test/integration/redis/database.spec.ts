import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { rejection } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';

describe('The database of a Redis server', () => {
  let server: RedisServer;
  const lines: string[] = [];
  const logger = {
    log: (text: string) => void lines.push(`log ${text}`),
    warn: (text: string) => void lines.push(`warn ${text}`),
    error: (text: string) => void lines.push(`error ${text}`),
  };

  beforeAll(async () => {
    server = await RedisServer.start('--databases', '4');
  });
  beforeEach(() => {
    lines.length = 0;
  });
  afterAll(() => server.stop());

  const refused = {
    code: 'DISCO_CONFIGURATION',
    message: 'Redis refuses the database 99: ERR DB index is out of range',
  };

  it('is refused by name when the server has no such one', async () => {
    const driver = redisDriver({ url: `${server.url}/99` });
    const startedMs = performance.now();
    expect(await rejection(driver.connect())).toMatchObject(refused);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await driver.close();
  });

  it('ends the start of a bus, a lock manager and a microservice', async () => {
    const url = `${server.url}/99`;
    const bus = new DiscoBus({ driver: redisDriver({ url }), service: 'tests', logger });
    expect(await rejection(bus.start())).toMatchObject(refused);
    await bus.stop();
    const locks = new LockManager(redisDriver({ url }).lockStore());
    expect(await rejection(locks.connect())).toMatchObject(refused);
    await locks.close();
    const microservice = new DiscoBusServer({ url, logger });
    const error = await new Promise((resolve) => microservice.listen(resolve));
    expect(error).toMatchObject(refused);
    await microservice.close();
  });

  it('is told in the log', async () => {
    const bus = new DiscoBus({ driver: redisDriver({ url: `${server.url}/3` }), service: 'tests', logger });
    await bus.start();
    await bus.stop();
    expect(lines).toEqual([`log Connected to Redis at 127.0.0.1:${server.port}, database 3`]);
  });

  it('warns where nothing says where the server is', async () => {
    const bus = new DiscoBus({ driver: redisDriver({ port: server.port }), service: 'tests', logger });
    await bus.start();
    await bus.stop();
    expect(lines).toEqual([
      `warn Connected to Redis at 127.0.0.1:${server.port}, since nothing says where the server is: set url or DISCO_BUS_URL`,
    ]);
  });
});
