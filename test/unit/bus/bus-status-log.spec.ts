import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { StatusLog } from '../../../lib/bus/status-log.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { NotConnectedError } from '../../../lib/errors/bus.errors.js';
import { DriverError } from '../../../lib/errors/driver.errors.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { KeepingLogger } from './support.js';

describe('what a driver tells', () => {
  it('is in the log: an error once until there is a connection again, a gap with its topics', () => {
    const logger = new KeepingLogger();
    const log = new StatusLog('redis', logger);
    const error = new DriverError('Redis refused a command: WRONGPASS');
    for (let n = 0; n < 3; n++) log.hear({ type: 'error', error });
    log.hear({ type: 'connected' });
    log.hear({ type: 'disconnected', error: new NotConnectedError('Connection is closed.') });
    log.hear({ type: 'error', error });
    log.hear({ type: 'connected' });
    log.hear({ type: 'gap', topics: ['a', 'b', 'c', 'd', 'e', 'f'], from: 1_000, to: 3_500 });
    log.hear({ type: 'data-loss', topic: 'orders' });
    log.hear({ type: 'disconnected' });
    expect(logger.lines).toEqual([
      'redis: DriverError: Redis refused a command: WRONGPASS',
      'Connected to redis',
      'redis: the connection is lost: NotConnectedError: Connection is closed.',
      'redis: DriverError: Redis refused a command: WRONGPASS',
      expect.stringMatching(/^Connected to redis again after \d+\.\d s$/),
      'redis: messages at most once of "a", "b", "c", "d", "e" and 1 more may have been missed for 2.5 s',
      '"orders": the server has lost messages that it had stored',
    ]);
  });

  it('names the host and the reason of a connection that cannot be made', async () => {
    const logger = new KeepingLogger();
    const port = await freePort();
    const connection = { timeout: 300, critical: true };
    const bus = new DiscoBus({ driver: redisDriver({ port }), service: 'shop', logger, connection });
    const reason = `No connection to Redis: connect ECONNREFUSED 127.0.0.1:${port}`;
    await expect(bus.start()).rejects.toMatchObject({
      code: 'DISCO_NOT_CONNECTED',
      cause: { message: reason },
    });
    await bus.stop();
    expect(logger.lines).toEqual([`redis: NotConnectedError: ${reason}`]);
  });

  it('tells once that the password was changed', async () => {
    const logger = new KeepingLogger();
    const server = await RedisServer.start();
    const driver = redisDriver({ url: server.url, reconnect: { delay: 10, max: 20 } });
    const bus = new DiscoBus({ driver, service: 'shop', logger });
    await bus.start();
    const admin = new Redis({ port: server.port });
    await admin.config('SET', 'requirepass', 'changed');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it is told', () => logger.lines.some((line) => line.includes('NOAUTH')));
    const attempts = async () => /total_connections_received:(\d+)/.exec(await admin.info('stats'))![1];
    const before = Number(await attempts());
    await until('it has tried again', async () => Number(await attempts()) >= before + 10);
    admin.disconnect();
    expect(logger.lines.filter((line) => line.includes('NOAUTH'))).toHaveLength(1);
    await bus.stop();
    await server.stop();
  });
});

it('tells once that ids are forgotten early, and by which bound dead letters gave way', () => {
  const logger = new KeepingLogger();
  const log = new StatusLog('memory', logger);
  const full = { type: 'dead-letters-full', topic: 't', dropped: 1, maxDeadLetters: 7 } as const;
  for (let times = 0; times < 2; times++) log.hear({ type: 'deduplication-full', maxIds: 5, windowMs: 100 });
  log.hear({ ...full, group: 'many' });
  log.hear({ ...full, group: 'large', maxBytes: 9 });
  expect(logger.lines).toEqual([
    expect.stringContaining('5 ids of publishes are remembered'),
    expect.stringMatching(/"many" keeps 7 dead letters.* raise maxDeadLetters$/),
    expect.stringMatching(/"large" keeps dead letters of 9 bytes at most.* raise maxBytes$/),
  ]);
});

describe('a failed attempt', () => {
  it.each([
    [
      { delivery: 'at-least-once' },
      'the handler "charge" (group "shop")',
      'kept as a dead letter (disco-bus dead replay orders shop)',
    ],
    [
      { delivery: 'at-most-once', retry: { attempts: 2, backoff: { delay: 5 } } },
      'the handler "charge"',
      'dropped',
    ],
  ] as const)('names handler, attempt, next try and place: %j', async (options, who, end) => {
    const told: [kind: string, line: string][] = [];
    const write = (kind: string) => (line: string) => told.push([kind, line]);
    const bus = new DiscoBus({
      driver: memoryDriver(),
      service: 'shop',
      defaults: { retry: { attempts: 2, backoff: { delay: 5 } } },
      logger: { log: () => {}, warn: write('warn'), error: write('error') },
    });
    await bus.start();
    const charge = () => {
      throw new Error('db down');
    };
    await bus.subscribe('orders', charge, options);
    await bus.publish('orders', 1, { delivery: options.delivery });
    await until('it is given up', () => told.length === 2);
    await bus.stop();
    const [[first, warned], [second, last]] = told;
    expect([first, second]).toEqual(['warn', 'error']);
    expect(warned).toMatch(/attempt 1 of 2, tried again in \d+ ms: Error: db down\n\s+at charge/);
    expect(warned.startsWith(`"orders": ${who} failed on message`)).toBe(true);
    expect(last).toContain(`attempt 2 of 2, given up and ${end}: Error: db down\n    at charge`);
  });
});
