import { inspect } from 'node:util';
import { Cluster, Redis } from 'ioredis';
import { RedisDriver, redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import type { RedisDriverOptions } from '../../../lib/drivers/redis/redis-options.js';
import { ResolvedRedisOptions } from '../../../lib/drivers/redis/redis-options.js';
import { ConfigurationError } from '../../../lib/errors/bus.errors.js';
import { SelfSigned } from '../../support/certificate.js';
import { bytes, Drivers, fanOut, Inbox, once, rejection, StatusLog } from '../../support/redis-harness.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { pause } from '../../support/waiting.js';

const SECRET = 'pa55:w@rd/sentinel';
const quick = { heartbeat: 400, reconnect: { delay: 20, max: 200 } } as const;

/** All that can be seen of an error: what a logger or a dashboard might print. */
const seen = (value: unknown) =>
  `${inspect(value, { depth: 12, showHidden: true })} ${String(value)} ${told(value)}`;
const told = (value: unknown): string =>
  value instanceof Error
    ? `${value.stack} ${JSON.stringify(value)} ${told(value.cause)}`
    : (JSON.stringify(value) ?? '');

describe('Redis options', () => {
  it.each<[string, object]>([
    ['two endpoints', { url: 'redis://h', host: 'h' }],
    ['a foreign scheme', { url: 'http://h' }],
    ['no URL', { url: 'no url' }],
    ['an unknown URL parameter', { url: 'redis://h?x=1' }],
    ['a bad port', { port: 70_000 }],
    ['a bad database', { db: -1 }],
    ['a bad database in the URL', { url: 'redis://h/abc' }],
    ['no workers', { workers: 0 }],
    ['a prefix with a glob', { prefix: 'a*' }],
    ['a prefix with a hash tag', { prefix: '{a}' }],
    ['no duration', { commandTimeout: 'soon' }],
    ['an empty buffer', { bufferLimit: { messages: 0 } }],
    ['no nodes', { cluster: { nodes: [] } }],
    ['a keyPrefix in the cluster', { cluster: { nodes: ['redis://h'], options: { keyPrefix: 'x' } } }],
    [
      'a keyPrefix of the nodes',
      { cluster: { nodes: ['redis://h'], options: { redisOptions: { keyPrefix: 'x' } } } },
    ],
    ['no Sentinels', { sentinel: { name: 'm', sentinels: [] } }],
    [
      'TLS that ioredis would leave out',
      { sentinel: { name: 'm', sentinels: [{}], enableTLSForSentinelMode: true } },
    ],
    [
      'TLS and none behind Sentinels',
      { tls: true, sentinel: { name: 'm', sentinels: [{}], enableTLSForSentinelMode: false } },
    ],
    ['TLS and none of Sentinels', { tls: false, sentinel: { name: 'm', sentinels: [{}], tls: {} } }],
    ['no client', { client: {} }],
    ['a bad reader', { reader: { port: -1 } }],
  ])('refuses %s', (_name, options) => {
    expect(() => redisDriver(options as RedisDriverOptions)).toThrow(ConfigurationError);
  });

  it('refuses the keyPrefix of a handed-in client', () => {
    const client = new Redis({ lazyConnect: true, keyPrefix: 'x:' });
    expect(() => redisDriver({ client })).toThrow(/keyPrefix/);
    const cluster = new Cluster(['redis://h'], { lazyConnect: true, redisOptions: { keyPrefix: 'x:' } });
    expect(() => redisDriver({ client: cluster })).toThrow(/keyPrefix/);
  });

  it('reads URLs and has defaults', () => {
    const text = `redis://bob:${encodeURIComponent(SECRET)}@example.org:7000/3`;
    expect(new ResolvedRedisOptions({ url: text }).endpoint).toEqual({
      kind: 'standalone',
      options: { host: 'example.org', port: 7000, username: 'bob', password: SECRET, db: 3 },
    });
    const { endpoint, reader, workers, commandTimeoutMs, bufferLimit } = new ResolvedRedisOptions();
    expect(endpoint).toEqual({ kind: 'standalone', options: { host: '127.0.0.1', port: 6379 } });
    expect(reader).toBe(endpoint);
    expect([workers, commandTimeoutMs, bufferLimit]).toEqual([
      1,
      5_000,
      { messages: 1_000, bytes: 8_388_608 },
    ]);
    expect(new ResolvedRedisOptions({ url: 'rediss://h' }).endpoint).toMatchObject({ options: { tls: {} } });
  });

  it('shows no password, whatever is printed', async () => {
    const url = `redis://bob:${encodeURIComponent(SECRET)}@127.0.0.1:1`;
    const options = new ResolvedRedisOptions({ url });
    const driver = redisDriver({ url });
    for (const value of [options, { ...options }, driver, { driver }]) {
      for (const secret of [SECRET, encodeURIComponent(SECRET)]) {
        expect(inspect(value, { depth: 12, showHidden: false })).not.toContain(secret);
        expect(JSON.stringify(value)).not.toContain(secret);
      }
    }
    for (const bad of [`${url}/x`, `${url}?y=1`, `http${url.slice(5)}`, `redis://bob:%ZZ${SECRET}@h`]) {
      let thrown: unknown;
      try {
        redisDriver({ url: bad });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(ConfigurationError);
      expect(seen(thrown)).not.toMatch(/pa55|sentinel/);
    }
  });
});

describe('Redis with a password and ACL users', () => {
  const drivers = new Drivers();
  let server: RedisServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url, { password: SECRET, retryStrategy: () => 50 });
    admin.on('error', () => undefined);
    const setup = new Redis(server.url);
    await setup.acl(
      'SETUSER',
      'bus',
      'on',
      `>${SECRET}`,
      '&disco:*',
      '-@all',
      '+publish',
      '+subscribe',
      '+psubscribe',
      '+unsubscribe',
      '+punsubscribe',
      '+ping',
      '+hello',
      '+client|setname',
    );
    await setup.config('SET', 'requirepass', SECRET);
    setup.disconnect();
    admin.disconnect();
    admin = new Redis(server.url, { password: SECRET });
  });
  afterEach(() => drivers.close());
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const user = () => ({ host: '127.0.0.1', port: server.port, username: 'bus', password: SECRET, ...quick });

  it('works for a user with only the rights it needs, and in any database', async () => {
    const driver = await drivers.connected({ ...user(), workers: 2 });
    const inbox = new Inbox();
    await driver.subscribe('t', fanOut, inbox.take);
    await driver.subscribe('u.>', fanOut, inbox.take);
    await driver.publish('t', bytes('1'), once());
    await driver.publish('u.v', bytes('2'), once());
    await inbox.received(2);
    const other = await drivers.connected({
      url: `redis://:${encodeURIComponent(SECRET)}@127.0.0.1:${server.port}/5`,
    });
    await other.publish('t', bytes('3'), once());
    await inbox.gets('3');
  });

  it('rejects a wrong password at once, as not to be retried', async () => {
    const driver = drivers.make({ ...user(), password: 'wrong' });
    const startedMs = performance.now();
    expect(await rejection(driver.connect())).toMatchObject({ code: 'DISCO_DRIVER', retryable: false });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('tells a missing right, and goes on when it is granted', async () => {
    await admin.acl('SETUSER', 'bus', 'resetchannels', '&disco:allowed*');
    const driver = await drivers.connected(user());
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('allowed', fanOut, inbox.take);
    expect(await rejection(driver.subscribe('secret', fanOut, inbox.take))).toMatchObject({
      code: 'DISCO_DRIVER',
      retryable: false,
    });
    expect(await rejection(driver.publish('secret', bytes('x'), once()))).toMatchObject({
      code: 'DISCO_DRIVER',
      retryable: false,
    });
    await admin.acl('SETUSER', 'bus', 'resetchannels');
    await log.seen('disconnected');
    await admin.acl('SETUSER', 'bus', '&disco:*');
    await log.seen('connected');
    await driver.publish('allowed', bytes('again'), once());
    await inbox.gets('again');
  });

  it('never shows the password or the payload in an error', async () => {
    const payload = 'sensitive-payload';
    await admin.acl('SETUSER', 'bus', 'resetchannels', '&disco:*');
    const driver = await drivers.connected({ ...user(), commandTimeout: 300, bufferLimit: { messages: 1 } });
    const log = new StatusLog(driver);
    await driver.subscribe('t', fanOut, () => undefined);
    const errors: unknown[] = [];
    const fails = async (promise: Promise<unknown>) => errors.push(await rejection(promise));
    await fails(drivers.make({ ...user(), password: `${SECRET}x` }).connect());
    await fails(
      drivers
        .make({
          url: `redis://:${encodeURIComponent(SECRET)}@127.0.0.1:${await freePort()}`,
          connectTimeout: 100,
        })
        .connect(),
    );
    await admin.acl('SETUSER', 'bus', '-publish');
    await fails(driver.publish('t', bytes(payload), once()));
    await admin.acl('SETUSER', 'bus', 'off');
    await admin.client('KILL', 'USER', 'bus');
    await log.seen('disconnected');
    await fails(driver.publish('t', bytes(payload), once({ timeoutMs: 100 })));
    const waiting = fails(driver.publish('t', bytes(payload), once({ timeoutMs: 100 })));
    await fails(driver.publish('t', bytes(payload), once()));
    await waiting;
    await fails(driver.subscribe('v', fanOut, () => undefined));
    await fails(driver.ping());
    await admin.acl('SETUSER', 'bus', 'on', '+publish');
    await log.seen('connected');
    errors.push(...log.statuses);
    expect(errors.length).toBeGreaterThan(9);
    for (const error of errors) {
      expect(seen(error)).not.toContain(payload);
      expect(seen(error)).not.toMatch(/pa55|w%40rd/);
    }
  });

  it('duplicates a handed-in client and leaves it alone', async () => {
    const client = new Redis({ port: server.port, password: SECRET, db: 2 });
    await client.ping();
    const driver = await drivers.connected({ client });
    const inbox = new Inbox();
    await driver.subscribe('t', fanOut, inbox.take);
    await driver.publish('t', bytes('x'), once());
    await inbox.gets('x');
    await driver.close();
    expect(await client.ping()).toBe('PONG');
    expect(client.listenerCount('error')).toBe(0);
    client.disconnect();
  });

  it.each([2, 3] as const)('speaks RESP%i', async (protocol) => {
    const client = new Redis({ port: server.port, password: SECRET, protocol, lazyConnect: true });
    const driver = await drivers.connected({ client, ...quick });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('t', fanOut, inbox.take);
    const last = await driver.subscribe('p.*', fanOut, inbox.take);
    await pause(1_000);
    await last.close();
    await driver.publish('t', bytes('x'), once());
    await inbox.gets('x');
    await admin.client('KILL', 'TYPE', 'PUBSUB');
    await log.seen('gap');
    await driver.publish('t', bytes('y'), once());
    await inbox.gets('y');
    expect(log.of('disconnected')).toHaveLength(1);
    client.disconnect();
  });

  it('listens on the reader', async () => {
    const replica = await RedisServer.start(
      '--replicaof',
      '127.0.0.1',
      String(server.port),
      '--masterauth',
      SECRET,
    );
    const driver = await drivers.connected({ ...user(), reader: { port: replica.port } });
    const watching = new Redis(replica.url);
    const inbox = new Inbox();
    await driver.subscribe('t', fanOut, inbox.take);
    expect(await watching.pubsub('NUMSUB', 'disco:t')).toEqual(['disco:t', 1]);
    while (!String(await watching.info('replication')).includes('master_link_status:up'));
    await driver.publish('t', bytes('x'), once());
    await inbox.gets('x');
    watching.disconnect();
    await driver.close();
    await replica.stop();
  });
});

describe('Redis over TLS', () => {
  it('verifies the certificate and refuses a foreign one', async () => {
    const certificate = SelfSigned.make();
    const port = await freePort();
    const server = await RedisServer.start(...certificate.args(port));
    const trusting = new RedisDriver({ url: `rediss://localhost:${port}`, tls: { ca: certificate.ca } });
    const wary = new RedisDriver({ url: `rediss://localhost:${port}`, connectTimeout: 2_000 });
    try {
      await trusting.connect();
      expect(await trusting.publish('t', bytes('x'), once())).toEqual({ receivers: 0 });
      const error = await rejection(wary.connect());
      expect(error.code).toBe('DISCO_NOT_CONNECTED');
      expect(error.message).toMatch(/self-signed|certificate/i);
    } finally {
      await Promise.all([trusting.close(), wary.close()]);
      await server.stop();
      certificate.remove();
    }
  });
});
