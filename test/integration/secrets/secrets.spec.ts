import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { DiscoBusModule } from '../../../lib/nest/disco-bus.module.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { RedisServer } from '../../support/redis-server.js';
import { shown } from './witness.js';

/** Made when it runs: sources, which stacks may quote, do not hold it. */
const MARK = `secret${process.pid}x${Date.now()}`;
const paths = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.includes(MARK))
    .map((line) => line.replaceAll(MARK, '<the secret>').slice(0, 160));

const endpoints = {
  redis: { url: `redis://user:${MARK}@127.0.0.1:1` },
  options: {
    host: '127.0.0.1',
    port: 1,
    username: 'user',
    password: MARK,
    tls: { key: MARK, passphrase: MARK },
  },
  cluster: { cluster: { nodes: [{ host: '127.0.0.1', port: 1 }] }, password: MARK },
  sentinel: {
    sentinel: { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'm', sentinelPassword: MARK },
    password: MARK,
  },
} as Record<string, any>;

describe.each(Object.keys(endpoints))('%s', (name) => {
  const given = endpoints[name];
  it.each([
    ['driver', () => redisDriver(given)],
    ['bus', () => new DiscoBus({ driver: redisDriver(given), service: 's' })],
    ['module', () => DiscoBusModule.forRoot({ driver: redisDriver(given), service: 's' } as any)],
    ['client', () => new DiscoBusClient({ driver: redisDriver(given), service: 's' } as any)],
    ['server', () => new DiscoBusServer({ driver: redisDriver(given), service: 's' } as any)],
    ['module by url', () => given.url && DiscoBusModule.forRoot({ url: given.url, service: 's' } as any)],
    ['client by url', () => given.url && new DiscoBusClient({ url: given.url, service: 's' } as any)],
    ['server by url', () => given.url && new DiscoBusServer({ url: given.url, service: 's' } as any)],
  ])('%s', (_, make) => {
    expect(paths(shown(make() ?? ''))).toEqual([]);
  });
});

test('after a refused password: errors, statuses, log and the connected driver', async () => {
  const server = await RedisServer.start();
  const admin = new Redis(server.url);
  await admin.config('SET', 'requirepass', MARK);
  admin.disconnect();
  const told: unknown[] = [];
  const say = (...args: unknown[]) => void told.push(args);
  const logger = { log: say, warn: say, error: say };
  const url = `redis://:${MARK}@127.0.0.1:${server.port}`;
  const right = new DiscoBus({ driver: redisDriver({ url }), service: 's', logger });
  right.onStatus(say);
  await right.start();
  await right.publish('t', 1);
  told.push(right);
  const wrong = new DiscoBus({
    driver: redisDriver({ url: url.replace(MARK, `${MARK}2`) }),
    service: 's',
    logger,
  });
  wrong.onStatus(say);
  await wrong.start().catch(say);
  told.push(wrong);
  const lines = paths(shown(told));
  await wrong.stop();
  await right.stop();
  await server.stop();
  expect(lines).toEqual([]);
});
