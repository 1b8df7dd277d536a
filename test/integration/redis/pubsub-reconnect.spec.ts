import { Redis } from 'ioredis';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bytes, Drivers, fanOut, Inbox, once, rejection, StatusLog } from '../../support/redis-harness.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { pause, until } from '../../support/waiting.js';

/** Quicker than the defaults, so that the specs stay short; the ratios are the same. */
const quick = { heartbeat: 400, reconnect: { delay: 20, max: 200 } } as const;

describe('Redis pub/sub over a failing connection', () => {
  const drivers = new Drivers();
  let server: RedisServer;
  let proxy: FaultProxy;

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  beforeEach(async () => {
    proxy = await FaultProxy.start(server.port);
  });
  afterEach(async () => {
    server.thaw();
    await drivers.close();
    await proxy.stop();
  });
  afterAll(() => server.stop());

  const throughProxy = (changes = {}) => drivers.connected({ url: proxy.url, ...quick, ...changes });

  it('subscribes again after the server was killed and started anew', async () => {
    const driver = await drivers.connected({ url: server.url, ...quick, workers: 2 });
    const log = new StatusLog(driver);
    const [exact, wide] = [new Inbox(), new Inbox()];
    await driver.subscribe('a', fanOut, exact.take);
    await driver.subscribe('b.*', fanOut, wide.take);
    await server.kill();
    await log.seen('disconnected');
    await server.boot();
    await log.seen('connected');
    await driver.publish('a', bytes('1'), once());
    await driver.publish('b.x', bytes('2'), once());
    await Promise.all([exact.gets('1'), wide.gets('2')]);
    expect(log.of('gap').map(({ topics }) => topics)).toEqual(expect.arrayContaining([['a'], ['b.*']]));
    expect(log.of('gap')).toHaveLength(2);
    expect(log.of('disconnected')).toHaveLength(1);
    expect(log.of('disconnected')[0].error?.code).toBe('DISCO_NOT_CONNECTED');
  });

  it('tells one gap for one outage, however many attempts it took', async () => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    await driver.subscribe('a', fanOut, () => undefined);
    const before = Date.now();
    proxy.refuse();
    expect(proxy.cut()).toBe(2);
    await log.seen('disconnected');
    while (proxy.counts.refused < 6) await pause(20);
    proxy.pass();
    await log.seen('connected');
    const [gap, ...more] = log.of('gap');
    expect(more).toEqual([]);
    expect(gap.topics).toEqual(['a']);
    expect(gap.from).toBeLessThanOrEqual(before + 1_000);
    expect(gap.to).toBeGreaterThan(before);
  });

  it('is back within a second of CLIENT KILL', async () => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('k', fanOut, inbox.take);
    const admin = new Redis(server.url);
    for (let round = 1; round <= 5; round++) {
      const startedMs = performance.now();
      expect(Number(await admin.client('KILL', 'TYPE', 'PUBSUB'))).toBe(1);
      await log.seen('gap', round);
      expect(performance.now() - startedMs).toBeLessThan(1_000);
      await driver.publish('k', bytes(String(round)), once());
      await inbox.gets(String(round));
    }
    admin.disconnect();
    expect(log.of('gap')).toHaveLength(5);
  });

  it.each([
    ['both ways', []],
    ['to the server', ['to-server' as const]],
    ['to the client', ['to-client' as const]],
  ])('finds a black hole %s by itself, and settles every publish in time', async (_name, directions) => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('h', fanOut, inbox.take);
    proxy.blackHole(...directions);
    const startedMs = performance.now();
    const error = await rejection(driver.publish('h', bytes('sent into the hole'), once({ timeoutMs: 300 })));
    expect(performance.now() - startedMs).toBeLessThan(400);
    expect(error.code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
    await log.seen('disconnected');
    expect(performance.now() - startedMs).toBeLessThan(2.5 * 400 + 200);
    // Each connection finds out by itself; heal the link only when both have, and try anew.
    while (proxy.counts.connections < 4) await pause(10);
    proxy.pass();
    await log.seen('connected');
    await driver.publish('h', bytes('after'), once());
    await inbox.gets('after');
    expect(log.of('gap')).toHaveLength(1);
    expect(proxy.counts.blackHoles).toBe(1);
  });

  it('finds a frozen server, and takes a short stall for what it is', async () => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('f', fanOut, inbox.take);
    server.freeze();
    const stalled = driver.publish('f', bytes('stalled'), once());
    await pause(150);
    server.thaw();
    await stalled;
    expect(log.statuses).toEqual([]);
    server.freeze();
    await log.seen('disconnected');
    server.thaw();
    await log.seen('connected');
    await driver.publish('f', bytes('after'), once());
    await inbox.gets('after');
  });

  it('does not take its own blocked event loop for a dead server', async () => {
    // Not through the proxy, which would be blocked as well.
    const driver = await drivers.connected({ url: server.url, ...quick });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('e', fanOut, inbox.take);
    for (let round = 0; round < 3; round++) {
      await pause(390);
      const until = performance.now() + 1_200;
      while (performance.now() < until);
      await pause(20);
    }
    await driver.publish('e', bytes('x'), once());
    await inbox.gets('x');
    expect(log.statuses).toEqual([]);
  });

  it('passes slices, delays and jitter without a reconnect', async () => {
    const driver = await throughProxy({ heartbeat: '2s' });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await driver.subscribe('s', fanOut, inbox.take);
    proxy.slice(3);
    proxy.delay(20, 15);
    const texts = Array.from({ length: 50 }, (_, index) => `${index}-ü-${'x'.repeat(20)}`);
    await Promise.all(texts.map((text) => driver.publish('s', bytes(text), once())));
    await inbox.received(50);
    expect(inbox.texts).toEqual(texts);
    expect(log.statuses).toEqual([]);
  });

  it('says that the outcome is unknown when the reply is lost', async () => {
    const driver = await throughProxy();
    const listener = await drivers.connected({ url: server.url });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await listener.subscribe('r', fanOut, inbox.take);
    proxy.dropReplies();
    const error = rejection(driver.publish('r', bytes('once'), once()));
    await inbox.gets('once');
    proxy.cut();
    expect((await error).code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
    proxy.pass();
    await log.seen('connected');
    await driver.publish('r', bytes('end'), once());
    await inbox.gets('end');
    expect(inbox.texts).toEqual(['once', 'end']);
    expect(proxy.counts.droppedReplies).toBeGreaterThanOrEqual(1);
  });

  it('buffers in order while Redis is away, within its limits and deadlines, and sends no ghosts', async () => {
    const bufferLimit = { messages: 5, bytes: 1_000 };
    const driver = await throughProxy({ bufferLimit });
    const listener = await drivers.connected({ url: server.url });
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    await listener.subscribe('b', fanOut, inbox.take);
    proxy.refuse();
    proxy.cut();
    await log.seen('disconnected');
    const code = async (promise: Promise<unknown>) => (await rejection(promise)).code;
    const caller = new AbortController();
    const late = code(driver.publish('b', bytes('late'), once({ timeoutMs: 50 })));
    const stale = code(driver.publish('b', bytes('stale'), once({ ttlMs: 1 })));
    const aborted = rejection(driver.publish('b', bytes('aborted'), once({ signal: caller.signal })));
    const kept = ['1', '2'].map((text) => driver.publish('b', bytes(text), once()));
    expect(await code(driver.publish('b', bytes('too many'), once()))).toBe('DISCO_BACKPRESSURE');
    caller.abort(new Error('never mind'));
    expect(await aborted).toMatchObject({
      code: 'DISCO_ABORTED',
      name: 'AbortError',
      cause: caller.signal.reason,
    });
    expect(await code(driver.publish('b', bytes('x'.repeat(1_000)), once()))).toBe('DISCO_BACKPRESSURE');
    kept.push(driver.publish('b', bytes('3'), once()));
    expect(await late).toBe('DISCO_PUBLISH_TIMEOUT');
    const gone = AbortSignal.abort();
    expect(await code(driver.publish('b', bytes('gone'), once({ signal: gone })))).toBe('DISCO_ABORTED');
    await until('an attempt to reconnect is refused', () => proxy.counts.refused > 0);
    proxy.pass();
    await Promise.all(kept);
    expect(await stale).toBe('DISCO_PUBLISH_TIMEOUT');
    await driver.publish('b', bytes('end'), once());
    await inbox.gets('end');
    expect(inbox.texts).toEqual(['1', '2', '3', 'end']);
  });

  it('rejects what waits when it is closed while Redis is away', async () => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    proxy.refuse();
    proxy.cut();
    await log.seen('disconnected');
    const waiting = rejection(driver.publish('c', bytes('x'), once()));
    await driver.close();
    expect((await waiting).code).toBe('DISCO_CLOSED');
  });

  it('bounds what a stuck socket may hold', async () => {
    const driver = await throughProxy({ bufferLimit: { messages: 10, bytes: 256 * 1024 } });
    proxy.blackHole('to-server');
    const frame = Buffer.alloc(64 * 1024);
    const results = await Promise.allSettled(
      Array.from({ length: 400 }, () => driver.publish('s', frame, once({ timeoutMs: 300 }))),
    );
    const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok'));
    expect(codes.filter((code) => code === 'DISCO_BACKPRESSURE').length).toBeGreaterThan(200);
    expect(codes.filter((code) => code === 'ok')).toEqual([]);
  });

  it('subscribes while the connection is away, or says so in time', async () => {
    const driver = await throughProxy({ commandTimeout: 600 });
    const log = new StatusLog(driver);
    proxy.refuse();
    proxy.cut();
    await log.seen('disconnected');
    const inbox = new Inbox();
    expect((await rejection(driver.subscribe('w', fanOut, inbox.take))).code).toBe('DISCO_NOT_CONNECTED');
    const waiting = driver.subscribe('w', fanOut, inbox.take);
    proxy.pass();
    await waiting;
    await driver.publish('w', bytes('x'), once());
    await inbox.gets('x');
    expect(inbox.texts).toEqual(['x']);
    expect(log.of('gap')).toEqual([]);
  });

  it('subscribes again to 1200 topics and tells when all are confirmed', async () => {
    const driver = await throughProxy();
    const log = new StatusLog(driver);
    const inbox = new Inbox();
    const topics = Array.from({ length: 1_200 }, (_, index) => `many.${index}`);
    await Promise.all(topics.map((topic) => driver.subscribe(topic, fanOut, inbox.take)));
    proxy.cut();
    await log.seen('gap');
    await log.seen('connected');
    await Promise.all(topics.map((topic) => driver.publish(topic, bytes(topic), once())));
    await inbox.received(1_200);
    expect(new Set(inbox.texts).size).toBe(1_200);
  });

  it('boots while Redis is absent: rejects in time, keeps nothing open, and may be tried again', async () => {
    const port = await freePort();
    const driver = drivers.make({ host: '127.0.0.1', port, connectTimeout: 300, ...quick });
    const startedMs = performance.now();
    const error = await rejection(driver.connect());
    expect(error.code).toBe('DISCO_NOT_CONNECTED');
    expect(error.message).toContain('ECONNREFUSED');
    expect(performance.now() - startedMs).toBeLessThan(600);
    const waiting = driver.connect();
    await rejection(waiting);
    const late = await RedisServer.startOn(port);
    await driver.connect();
    await driver.ping();
    await driver.close();
    await late.stop();
  });

  it('connects as soon as Redis appears within the connect timeout', async () => {
    const port = await freePort();
    const driver = drivers.make({ host: '127.0.0.1', port, ...quick });
    const connecting = driver.connect();
    const late = await RedisServer.startOn(port);
    await connecting;
    await driver.close();
    await late.stop();
  });

  it('can be closed while it connects', async () => {
    const driver = drivers.make({ host: '127.0.0.1', port: await freePort() });
    const connecting = rejection(driver.connect());
    await driver.close();
    expect((await connecting).code).toBe('DISCO_CLOSED');
  });

  it('connects over a silent peer only until its timeout', async () => {
    proxy.blackHole();
    const driver = drivers.make({ url: proxy.url, connectTimeout: 300 });
    expect((await rejection(driver.connect())).code).toBe('DISCO_NOT_CONNECTED');
  });
});
