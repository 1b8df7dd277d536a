import { transportAccess } from '../../../lib/bus/transport-access.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import type { TopicOptions } from '../../../lib/contract/topic-options.js';
import { memoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import type { Message } from '../../../lib/message/message.js';
import { correlation } from '../../../lib/middleware/correlation.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { DriverDecorator } from '../../../lib/testing/driver-decorator.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { buses, Inbox } from './support.js';

const { make, started } = buses();
const refused = expect.objectContaining({ code: 'DISCO_CONFIGURATION' });
const topics: Record<string, TopicOptions> = { orders: { wire: 'go' } };

describe("a topic on the wire 'go'", () => {
  it('carries payloads between buses of any prefix, with an id and a time made at the receiver', async () => {
    const broker = memoryBroker();
    const clock = new ManualClock();
    const seller = await started({ driver: memoryDriver({ broker }), prefix: 'seller', topics });
    const buyer = await started({ driver: memoryDriver({ broker }), prefix: 'buyer', topics, clock });
    const inbox = new Inbox<Message>();
    await buyer.subscribe('orders', (_, { message }) => inbox.push(message));
    const receipts = await seller.publishBatch('orders', [{ number: 1 }, { number: 2 }]);
    expect(receipts).toMatchObject([{ receivers: 1 }, { receivers: 1 }]);
    const messages = await inbox.until(2);
    expect(messages.map(({ payload }) => payload)).toEqual([{ number: 1 }, { number: 2 }]);
    const sent = new Set(receipts.map(({ id }) => id));
    for (const { id, headers, timestamp, topic } of messages) {
      expect(id).not.toBe('');
      expect(sent).not.toContain(id);
      expect({ ...headers }).toEqual({});
      expect({ timestamp, topic }).toEqual({ timestamp: clock.now(), topic: 'orders' });
    }
    expect(new Set(messages.map(({ id }) => id)).size).toBe(2);
  });

  it('is subscribed by pattern, each topic told by its own name', async () => {
    const bus = await started({ topics: { 'orders.*': { wire: 'go' } } });
    const inbox = new Inbox<string>();
    await bus.subscribe('orders.*', (payload, { topic }) => inbox.push(`${topic} ${payload}`));
    await bus.publish('orders.paid', 1);
    await bus.publish('orders.sent', 2);
    expect(await inbox.until(2)).toEqual(['orders.paid 1', 'orders.sent 2']);
  });

  it('is one message to all handlers of the process, also when they are tried again', async () => {
    const retry = { attempts: 2, backoff: { delay: 1 } };
    const bus = await started({ topics: { orders: { wire: 'go', retry } } });
    const inbox = new Inbox<{ id: string; attempt: number; timestamp: number }>();
    const failsOnce = (_: unknown, { id, attempt, timestamp }: DiscoMessageContext) => {
      inbox.push({ id, attempt, timestamp });
      if (attempt === 1) throw new Error('not yet');
    };
    await bus.subscribe('orders', failsOnce);
    await bus.subscribe('orders', failsOnce);
    await bus.publish('orders', 1);
    const seen = await inbox.until(4);
    expect(seen.map(({ attempt }) => attempt).sort()).toEqual([1, 1, 2, 2]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1);
    expect(new Set(seen.map(({ timestamp }) => timestamp)).size).toBe(1);
  });

  it.each([
    ['headers', { headers: { 'x-tenant': 'a' } }],
    ['id', { id: 'mine' }],
    ['key', { key: 'order-1' }],
    ['delay', { delay: '1s' }],
    ['at', { at: 1 }],
    ['ttl', { ttl: '1s' }],
    ['delivery', { delivery: 'at-least-once' }],
  ] as const)('refuses what it cannot carry: %s', async (_, options) => {
    const bus = await started({ topics });
    await expect(bus.publish('orders', 1, options)).rejects.toThrow(refused);
  });

  it('takes a timeout, a signal and no headers', async () => {
    const bus = await started({ topics });
    const { signal } = new AbortController();
    await bus.publish('orders', 1, { timeout: '1s', signal, headers: {}, delivery: 'at-most-once' });
  });

  it('leaves the correlation id behind, as nobody asked for it', async () => {
    const bus = await started({ topics, middleware: [correlation()] });
    const inbox = new Inbox<unknown>();
    await bus.subscribe('orders', (payload) => inbox.push(payload));
    await bus.subscribe('start', () => bus.publish('orders', 'correlated'));
    await bus.publish('start', 1);
    expect(await inbox.until(1)).toEqual(['correlated']);
  });

  it('refuses requests', async () => {
    const bus = await started({ topics });
    await bus.subscribe('orders', () => 'an answer');
    await expect(bus.request('orders', 1)).rejects.toThrow(refused);
    expect(transportAccess(bus).pendingRequests).toBe(0);
  });

  it.each([
    ['at least once', { delivery: 'at-least-once' }, {}],
    ['at least once by default', {}, { delivery: 'at-least-once' }],
    ['in the order of keys', { orderBy: 'key' }, {}],
    ['on an unknown wire', { wire: 'rust' }, {}],
  ])('cannot be %s', (_, options, defaults) => {
    const table = { orders: { wire: 'go', ...options } as TopicOptions };
    expect(() => make({ topics: table, defaults: defaults as TopicOptions })).toThrow(refused);
  });

  it('is agreed upon by both sides', async () => {
    const bus = await started({ topics: { orders: { wire: 'go' }, frames: { wire: 'disco' } } });
    await expect(bus.subscribe('orders', () => {}, { wire: 'disco' })).rejects.toThrow(refused);
    await expect(bus.subscribe('frames', () => {}, { wire: 'go' })).rejects.toThrow(refused);
    await bus.subscribe('open', () => {}, { wire: 'go' });
    await expect(bus.publish('open', 1)).rejects.toThrow(refused);
    await bus.subscribe('>', () => {});
    await expect(bus.publish('orders', 1)).rejects.toThrow(refused);
    expect(transportAccess(bus).agreedDelivery('orders')).toBe('at-most-once');
  });

  it('needs a driver with bare names, and a codec that says its number', async () => {
    class Prefixing extends DriverDecorator {
      override get capabilities() {
        return { 'at-most-once': { ...this.inner.capabilities['at-most-once']!, bare: false } };
      }
    }
    const prefixing = await started({ driver: new Prefixing(memoryDriver()), topics });
    await expect(prefixing.subscribe('orders', () => {})).rejects.toThrow(refused);
    await expect(prefixing.publish('orders', 1)).rejects.toThrow(refused);
    const json = new JsonCodec();
    const nameless = { name: 'mine', encode: json.encode.bind(json), decode: json.decode.bind(json) };
    const anonymous = await started({ codec: nameless, topics });
    await expect(anonymous.publish('orders', 1)).rejects.toThrow(refused);
    await anonymous.publish('other', 1);
  });

  it('drops and counts what is beyond the limit, and goes on', async () => {
    const broker = memoryBroker();
    const large = await started({ driver: memoryDriver({ broker }), topics });
    const bus = await started({ driver: memoryDriver({ broker }), topics, maxMessageSize: 100 });
    const dropped = new Inbox<unknown>();
    const inbox = new Inbox<unknown>();
    bus.onStatus((status) => status.type === 'dropped' && dropped.push(status));
    await bus.subscribe('orders', (payload) => inbox.push(payload));
    await large.publish('orders', 'x'.repeat(1_000));
    await large.publish('orders', 'small');
    expect(await inbox.until(1)).toEqual(['small']);
    expect(await dropped.until(1)).toEqual([{ type: 'dropped', topic: 'orders', reason: 'undecodable' }]);
    await expect(bus.publish('orders', 'x'.repeat(1_000))).rejects.toThrow(
      expect.objectContaining({ code: 'DISCO_MESSAGE_TOO_LARGE' }),
    );
  });
});
