import { gunzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { RawCodec } from '../../../lib/codec/raw.codec.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { Inbox, KeepingLogger } from '../../unit/bus/support.js';
import { bytes, goPayloads, rawPayloads } from './fixtures.js';
import { describeGo } from './go-program.js';

const topics = { orders: { wire: 'go' }, 'orders.*': { wire: 'go' } } as const;
let server: RedisServer;
let redis: Redis;
let bus: DiscoBus;

beforeAll(async () => {
  server = await RedisServer.start();
  redis = new Redis(server.url);
  bus = new DiscoBus({ driver: redisDriver({ url: server.url }), topics });
  await bus.start();
});

afterAll(async () => {
  await bus.stop();
  redis.disconnect();
  await server.stop();
});

/** What a plain Redis client receives on `channel` while `act` runs: `count` messages. */
async function onTheWire(channel: string, count: number, act: () => Promise<unknown>): Promise<Buffer[]> {
  const listener = redis.duplicate();
  const inbox = new Inbox<Buffer>();
  listener.on('messageBuffer', (_, message) => inbox.push(message));
  await listener.subscribe(channel);
  await act();
  const messages = await inbox.until(count);
  listener.disconnect();
  return messages;
}

describe('topics shared with Go, on Redis', () => {
  it('are published on the bare channel, one message each, as gzip of the bytes', async () => {
    const payloads = [{ order_id: '123' }, Buffer.from('plain text'), Buffer.of(), 'x'.repeat(200_000)];
    const receivers = new Inbox<number | undefined>();
    const messages = await onTheWire('orders', payloads.length, async () => {
      const receipts = await bus.publishBatch('orders', payloads);
      for (const receipt of receipts) receivers.push(receipt.receivers);
    });
    for (const message of messages) {
      expect(message.subarray(0, 10)).toEqual(bytes('1f 8b 08 00 00 00 00 00 02 ff'));
    }
    expect(messages.map((message) => gunzipSync(message).toString())).toEqual([
      '{"order_id":"123"}',
      'plain text',
      '',
      JSON.stringify('x'.repeat(200_000)),
    ]);
    expect(receivers.items).toEqual([1, 1, 1, 1]);
  });

  it.each([...goPayloads, ...rawPayloads])('are read back: $what', async ({ onRedis, payload }) => {
    const inbox = new Inbox<unknown>();
    const subscription = await bus.subscribe('orders', (received) => inbox.push(received));
    expect(await redis.publish('orders', onRedis)).toBe(1);
    expect(await inbox.until(1)).toEqual([payload]);
    await subscription.close();
  });

  it('give a bus of raw bytes always bytes', async () => {
    const raw = new DiscoBus({ driver: redisDriver({ url: server.url }), topics, codec: new RawCodec() });
    await raw.start();
    const inbox = new Inbox<unknown>();
    await raw.subscribe('orders', (received) => inbox.push(received));
    for (const { onRedis } of goPayloads) await redis.publish('orders', onRedis);
    expect(await inbox.until(goPayloads.length)).toEqual(goPayloads.map(({ plain }) => plain));
    await raw.stop();
  });

  it('are matched by pattern, and meet nothing below the prefix', async () => {
    const inbox = new Inbox<string>();
    const subscription = await bus.subscribe('orders.*', (payload, { topic }) =>
      inbox.push(`${topic} ${payload}`),
    );
    await redis.publish('disco:orders.paid', '1');
    await redis.publish('orders.paid.twice', '2');
    await redis.publish('orders.paid', '3');
    await redis.publish('orders.sent', '4');
    expect(await inbox.until(2)).toEqual(['orders.paid 3', 'orders.sent 4']);
    await subscription.close();
  });

  it('cannot be channels of the bus’s own', async () => {
    const own = new DiscoBus({
      driver: redisDriver({ url: server.url }),
      prefix: 'shop',
      topics: { 'shop:orders': { wire: 'go' } },
    });
    await own.start();
    const refused = expect.objectContaining({ code: 'DISCO_CONFIGURATION' });
    await expect(own.publish('shop:orders', 1)).rejects.toThrow(refused);
    await expect(own.subscribe('shop:orders', () => {})).rejects.toThrow(refused);
    await own.stop();
  });

  it('do not take a gzip bomb', async () => {
    const driver = redisDriver({ url: server.url });
    const logger = new KeepingLogger();
    const small = new DiscoBus({ driver, topics, maxMessageSize: 1_000, logger });
    await small.start();
    const inbox = new Inbox<unknown>();
    const dropped = new Inbox<unknown>();
    small.onStatus((status) => status.type === 'dropped' && dropped.push(status.reason));
    await small.subscribe('orders', (received) => inbox.push(received));
    await bus.publish('orders', Buffer.alloc(200_000));
    await bus.publish('orders', 'still here');
    expect(await inbox.until(1)).toEqual(['still here']);
    expect(await dropped.until(1)).toEqual(['undecodable']);
    expect(logger.lines.join()).toContain('inflates beyond the limit');
    await small.stop();
  });
});

describeGo(
  'topics shared with Go',
  () => server.port,
  (it, peer) => {
    it('carry what Go publishes to Nest', async () => {
      const inbox = new Inbox<unknown>();
      const subscription = await bus.subscribe('orders', (received) => inbox.push(received));
      const large = Buffer.from(JSON.stringify({ text: 'a long story '.repeat(50_000) }));
      for (const plain of [...goPayloads.map((each) => each.plain), large]) {
        expect(await peer().run(['publish', 'orders'], plain)).toBe('1');
      }
      const received = await inbox.until(goPayloads.length + 1);
      expect(received).toHaveLength(goPayloads.length + 1);
      for (const { payload } of goPayloads) expect(received).toContainEqual(payload);
      expect(received).toContainEqual(JSON.parse(large.toString()));
      await subscription.close();
    });

    it('carry what Nest publishes to Go', async () => {
      const large = Buffer.alloc(300_000, 'abcdef');
      const { messages } = await peer().subscribe('orders', 4);
      await bus.publish('orders', { order_id: '123' });
      await bus.publish('orders', Buffer.of());
      await bus.publish('orders', Buffer.of(0x1f, 0x8b));
      await bus.publish('orders', large);
      expect(await messages).toEqual([
        Buffer.from('{"order_id":"123"}'),
        Buffer.of(),
        Buffer.of(0x1f, 0x8b),
        large,
      ]);
    });
  },
);
