import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { bytes, Drivers, fanOut, Inbox, once, rejection } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';

describe('Redis pub/sub on one server', () => {
  const drivers = new Drivers();
  let server: RedisServer;
  let admin: Redis;

  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
  });
  afterEach(() => drivers.close());
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  const connected = (changes = {}) => drivers.connected({ url: server.url, ...changes });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['NUL', Buffer.from([0, 13, 10, 0])],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0xc3, 0x28])],
    ['gzip-like', Buffer.from([0x1f, 0x8b, 8, 0])],
    ['1 MiB', randomBytes(1024 * 1024)],
  ])('carries %s bytes unchanged', async (_name, payload) => {
    const driver = await connected();
    const inbox = new Inbox();
    await driver.subscribe('raw', fanOut, inbox.take);
    await driver.publish('raw', new Uint8Array(payload), once());
    const [delivery] = await inbox.received(1);
    expect(Buffer.compare(Buffer.from(delivery.frame), payload)).toBe(0);
    expect(delivery).toMatchObject({ topic: 'raw', attempt: 1 });
  });

  it('uses the channel prefix:topic and counts the receivers', async () => {
    const driver = await connected();
    await driver.subscribe('orders', fanOut, () => undefined);
    expect(await admin.pubsub('NUMSUB', 'disco:orders')).toEqual(['disco:orders', 1]);
    expect(await driver.publish('orders', bytes('x'), once())).toEqual({ receivers: 1 });
    expect(await driver.publish('nobody', bytes('x'), once())).toEqual({ receivers: 0 });
  });

  it('gives each of two subscriptions every message once, also when they share the channel', async () => {
    const driver = await connected();
    const [one, two, wide] = [new Inbox(), new Inbox(), new Inbox()];
    await driver.subscribe('orders.eu', fanOut, one.take);
    await driver.subscribe('orders.eu', fanOut, two.take);
    await driver.subscribe('orders.*', fanOut, wide.take);
    for (const text of ['1', '2', '3']) await driver.publish('orders.eu', bytes(text), once());
    await driver.publish('orders.eu', bytes('end'), once());
    await Promise.all([one, two, wide].map((inbox) => inbox.gets('end')));
    for (const inbox of [one, two, wide]) expect(inbox.texts).toEqual(['1', '2', '3', 'end']);
  });

  it('closes one subscription without the others, and unsubscribes with the last', async () => {
    const driver = await connected();
    const [one, two] = [new Inbox(), new Inbox()];
    const first = await driver.subscribe('t', fanOut, one.take);
    const second = await driver.subscribe('t', fanOut, two.take);
    await first.close();
    await first.close();
    await driver.publish('t', bytes('a'), once());
    await two.gets('a');
    expect(one.texts).toEqual([]);
    expect(await admin.pubsub('NUMSUB', 'disco:t')).toEqual(['disco:t', 1]);
    await second.close();
    expect(await admin.pubsub('NUMSUB', 'disco:t')).toEqual(['disco:t', 0]);
    const again = new Inbox();
    await driver.subscribe('t', fanOut, again.take);
    await driver.publish('t', bytes('b'), once());
    await again.gets('b');
    expect(two.texts).toEqual(['a']);
  });

  it('survives subscribing and closing the same topic at once', async () => {
    const driver = await connected();
    for (let round = 0; round < 20; round++) {
      const inbox = new Inbox();
      const old = await driver.subscribe('busy', fanOut, () => undefined);
      const [, fresh] = await Promise.all([old.close(), driver.subscribe('busy', fanOut, inbox.take)]);
      await driver.publish('busy', bytes(String(round)), once());
      await inbox.gets(String(round));
      await fresh.close();
    }
    expect(await admin.pubsub('CHANNELS', 'disco:busy')).toEqual([]);
  });

  it('matches patterns by segments, shares one PSUBSCRIBE among equal globs, and keeps reserved channels out', async () => {
    const driver = await connected();
    const [segment, rest, all] = [new Inbox(), new Inbox(), new Inbox()];
    const patterns = async () => Number(await admin.pubsub('NUMPAT'));
    await driver.subscribe('orders.*', fanOut, segment.take);
    await driver.subscribe('orders.>', fanOut, rest.take);
    expect(await patterns()).toBe(1);
    await driver.subscribe('>', fanOut, all.take);
    expect(await patterns()).toBe(2);
    await admin.publish(`disco:reply:${'a'.repeat(32)}`, 'reply');
    await admin.publish('disco:disco:internal', 'internal');
    await admin.publish('disco:not a topic', 'bad');
    for (const topic of ['orders.eu', 'orders.eu.north', 'orders', 'other']) {
      await driver.publish(topic, bytes(topic), once());
    }
    await all.gets('other');
    expect(segment.texts).toEqual(['orders.eu']);
    expect(rest.texts).toEqual(['orders.eu', 'orders.eu.north']);
    expect(all.deliveries.map(({ topic }) => topic)).toEqual([
      'orders.eu',
      'orders.eu.north',
      'orders',
      'other',
    ]);
  });

  it('drops while paused and goes on after resume', async () => {
    const driver = await connected();
    const [inbox, witness] = [new Inbox(), new Inbox()];
    const subscription = await driver.subscribe('p', fanOut, inbox.take);
    await driver.subscribe('p', fanOut, witness.take);
    subscription.pause();
    await driver.publish('p', bytes('missed'), once());
    await witness.gets('missed');
    subscription.resume();
    await driver.publish('p', bytes('seen'), once());
    await inbox.gets('seen');
    expect(inbox.texts).toEqual(['seen']);
  });

  it('keeps the order of 2000 unawaited publishes', async () => {
    const driver = await connected();
    const inbox = new Inbox();
    await driver.subscribe('seq', fanOut, inbox.take);
    const texts = Array.from({ length: 2000 }, (_, index) => String(index));
    await Promise.all(texts.map((text) => driver.publish('seq', bytes(text), once())));
    await inbox.received(2000);
    expect(inbox.texts).toEqual(texts);
  });

  it('writes what one turn publishes to many topics in few calls', async () => {
    const driver = await connected();
    const readsSoFar = async () => Number(/total_reads_processed:(\d+)/.exec(await admin.info('stats'))?.[1]);
    const before = await readsSoFar();
    await Promise.all(Array.from({ length: 200 }, (_, n) => driver.publish(`t.${n}`, bytes('x'), once())));
    const reads = (await readsSoFar()) - before;
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(10);
  });

  it('spreads topics over the workers', async () => {
    const driver = await connected({ workers: 3 });
    await driver.connect({ service: 'ignored' });
    for (let index = 0; index < 9; index++) await driver.subscribe(`w.${index}`, fanOut, () => undefined);
    const clients = String(await admin.client('LIST', 'TYPE', 'PUBSUB'))
      .trim()
      .split('\n');
    const loads = clients.map((line) => Number(/ sub=(\d+)/.exec(line)?.[1]));
    expect(loads).toEqual([3, 3, 3]);
  });

  it('hands a throwing callback to the status, and the message to the others', async () => {
    const driver = await connected();
    const errors: string[] = [];
    driver.onStatus((status) => status.type === 'error' && errors.push(status.error.code));
    const inbox = new Inbox();
    await driver.subscribe('x', fanOut, () => {
      throw new Error('handler bug');
    });
    await driver.subscribe('x', fanOut, inbox.take);
    await driver.publish('x', bytes('1'), once());
    await driver.publish('x', bytes('2'), once());
    await inbox.received(2);
    expect(errors).toEqual(['DISCO_DRIVER', 'DISCO_DRIVER']);
  });

  it('hands on frames above the agreed size as refused, without what they hold, and tells of it', async () => {
    const driver = drivers.make({ url: server.url });
    await driver.connect({ maxFrameBytes: 10, prefix: 'small', service: 'a b' });
    const errors: string[] = [];
    driver.onStatus((status) => status.type === 'error' && errors.push(status.error.code));
    const inbox = new Inbox();
    await driver.subscribe('x', fanOut, inbox.take);
    await admin.publish('small:x', 'x'.repeat(11));
    await admin.publish('small:x', 'x'.repeat(10));
    await inbox.received(2);
    expect(inbox.texts).toEqual(['', 'x'.repeat(10)]);
    expect(inbox.deliveries.map(({ refusal }) => refusal?.code)).toEqual([
      'DISCO_MESSAGE_TOO_LARGE',
      undefined,
    ]);
    expect(errors).toEqual(['DISCO_MESSAGE_TOO_LARGE']);
  });

  it('rejects with the documented codes before connect, after close, and for what it does not offer', async () => {
    const driver = drivers.make({ url: server.url });
    const code = async (promise: Promise<unknown>) => (await rejection(promise)).code;
    expect(await code(driver.publish('t', bytes('x'), once()))).toBe('DISCO_NOT_CONNECTED');
    expect(await code(driver.subscribe('t', fanOut, () => undefined))).toBe('DISCO_NOT_CONNECTED');
    expect(await code(driver.ping())).toBe('DISCO_NOT_CONNECTED');
    await Promise.all([driver.connect(), driver.connect()]);
    await driver.ping();
    expect(await code(driver.publish('t', bytes('x'), once({ delayMs: 5 })))).toBe('DISCO_CONFIGURATION');
    expect(await code(driver.subscribe('a b', fanOut, () => undefined))).toBe('DISCO_TOPIC_INVALID');
    expect(await code(driver.subscribe('a*', fanOut, () => undefined))).toBe('DISCO_TOPIC_INVALID');
    await Promise.all([driver.close(), driver.close()]);
    expect(await code(driver.publish('t', bytes('x'), once()))).toBe('DISCO_CLOSED');
    expect(await code(driver.subscribe('t', fanOut, () => undefined))).toBe('DISCO_CLOSED');
    expect(await code(driver.connect())).toBe('DISCO_CLOSED');
    expect(await code(driver.ping())).toBe('DISCO_CLOSED');
  });

  it('answers everything that was published before close', async () => {
    const [publisher, reader] = [await connected(), await connected()];
    const inbox = new Inbox();
    await reader.subscribe('last', fanOut, inbox.take);
    const sent = Array.from({ length: 500 }, (_, index) =>
      publisher.publish('last', bytes(`${index}`), once()),
    );
    await publisher.close();
    const receipts = await Promise.all(sent);
    expect(receipts.every(({ receivers }) => receivers === 1)).toBe(true);
    await inbox.received(500);
  });

  it('leaves no connection behind', async () => {
    const mine = async () =>
      String(await admin.client('LIST'))
        .split('\n')
        .filter((line) => /name=disco:/.test(line));
    const driver = await connected({ workers: 2 });
    await driver.subscribe('t', fanOut, () => undefined);
    expect(await mine()).toHaveLength(3);
    await driver.close();
    const deadline = Date.now() + 2_000;
    while ((await mine()).length > 0 && Date.now() < deadline);
    expect(await mine()).toEqual([]);
  });
});
