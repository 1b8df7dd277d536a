import { setImmediate } from 'node:timers/promises';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import type { DriverPublishOptions, DriverReceipt } from '../../../lib/driver/driver.js';
import { MemoryDriver } from '../../../lib/drivers/memory/index.js';
import { correlation } from '../../../lib/middleware/correlation.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { buses, gate, Inbox } from './support.js';

const { make, started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });

/** A driver whose publishes never settle. */
class DeafDriver extends MemoryDriver {
  override publish(_: string, __: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    this.seen.push(options);
    return new Promise(() => {});
  }
  readonly seen: DriverPublishOptions[] = [];
}

describe('publish', () => {
  it('answers with a receipt, and the handler gets the message as it was', async () => {
    const bus = await started();
    const inbox = new Inbox<unknown>();
    await bus.subscribe('orders', (payload, ctx) =>
      inbox.push(payload === ctx.message.payload && ctx.message),
    );
    const receipt = await bus.publish('orders', { a: 1 }, { headers: { 'X-Tenant': 'b' }, id: 'own-1' });
    expect(receipt).toEqual({ id: 'own-1', topic: 'orders', receivers: 1 });
    const [message] = await inbox.until(1);
    expect(message).toMatchObject({
      id: 'own-1',
      topic: 'orders',
      payload: { a: 1 },
      headers: { 'x-tenant': 'b' },
    });
  });

  it('refuses what the caller got wrong, each with its code', async () => {
    const bus = await started({ maxMessageSize: 100 });
    await expect(bus.publish('', 1)).rejects.toThrow(expect.objectContaining({ name: 'TopicEmptyError' }));
    await expect(bus.publish('a b', 1)).rejects.toThrow(code('DISCO_TOPIC_INVALID'));
    await expect(bus.publish('orders.*', 1)).rejects.toThrow(code('DISCO_TOPIC_INVALID'));
    await expect(bus.publish('orders', undefined)).rejects.toThrow(code('DISCO_MESSAGE_UNDEFINED'));
    await expect(bus.publish('orders', 1n)).rejects.toThrow(code('DISCO_CODEC'));
    await expect(bus.publish('orders', 'x'.repeat(99))).rejects.toThrow(code('DISCO_MESSAGE_TOO_LARGE'));
    await expect(bus.publish('orders', 1, { headers: { 'a b': 'c' } })).rejects.toThrow(
      code('DISCO_MESSAGE_INVALID'),
    );
    await expect(bus.publish('orders', 1, { id: '' })).rejects.toThrow(code('DISCO_MESSAGE_INVALID'));
    await expect(bus.publish('orders', 1, { timeout: -1 })).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(bus.publish('orders', 1, { delay: 5, at: 5 })).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(bus.publish('orders', 1, { delivery: 'exactly-once' as never })).rejects.toThrow(
      code('DISCO_CONFIGURATION'),
    );
  });

  it('accepts a message of exactly the limit', async () => {
    const bus = await started({ maxMessageSize: 100 });
    await expect(bus.publish('orders', 'x'.repeat(98))).resolves.toMatchObject({ topic: 'orders' });
  });

  it('tells not started from stopped', async () => {
    const bus = make();
    await expect(bus.publish('orders', 1)).rejects.toThrow(code('DISCO_NOT_CONNECTED'));
    await expect(bus.subscribe('orders', () => {})).rejects.toThrow(code('DISCO_NOT_CONNECTED'));
    await bus.start();
    await bus.stop();
    await expect(bus.publish('orders', 1)).rejects.toThrow(code('DISCO_CLOSED'));
    await expect(bus.subscribe('orders', () => {})).rejects.toThrow(code('DISCO_CLOSED'));
    await expect(bus.start()).rejects.toThrow(code('DISCO_CLOSED'));
  });

  it('needs a driver', () => {
    expect(() => new DiscoBus({} as never)).toThrow(code('DISCO_DRIVER_MISSING'));
    expect(() => new DiscoBus(undefined as never)).toThrow(code('DISCO_DRIVER_MISSING'));
  });

  it('hands its timeout to the driver: 30 s unless told otherwise', async () => {
    const driver = new DeafDriver();
    const bus = await started({ driver, shutdownTimeout: 1 });
    bus.publish('orders', 1).catch(() => {});
    bus.publish('orders', 1, { timeout: '2s' }).catch(() => {});
    await setImmediate();
    // What has passed since it was published is taken off.
    const rounded = driver.seen.map(({ timeoutMs }) => Math.ceil(timeoutMs / 500) * 500);
    expect(rounded).toEqual([30_000, 2_000]);
  });

  it('takes off the time that encoding took, and sends nothing when none is left', async () => {
    const driver = new DeafDriver();
    const slow = gate();
    const codec = {
      name: 'slow',
      encode: (payload: unknown) => slow.promise.then(() => new JsonCodec().encode(payload)),
      decode: () => undefined,
    };
    const clock = new ManualClock();
    const bus = await started({ driver, codec, clock, shutdownTimeout: 1, publishLimit: { messages: 2 } });
    const late = bus.publish('orders', 1, { timeout: 20 });
    const inTime = bus.publish('orders', 2, { timeout: 1_000 });
    inTime.catch(() => {});
    const told = expect(late).rejects.toThrow(code('DISCO_PUBLISH_TIMEOUT'));
    await clock.advance(20);
    await told;
    // Its codec still holds it.
    await expect(bus.publish('orders', 3)).rejects.toThrow(code('DISCO_BACKPRESSURE'));
    slow.open();
    await setImmediate();
    expect(driver.seen.map(({ timeoutMs }) => timeoutMs)).toEqual([980]);
    const stopping = bus.stop();
    await clock.advance(1_000);
    await stopping;
  });

  it('alone under way may be larger than the bytes of publishLimit, and beside another may not', async () => {
    const bus = await started({ publishLimit: { bytes: 100 } });
    const large = 'x'.repeat(200);
    await expect(bus.publish('orders', large)).resolves.toMatchObject({ topic: 'orders' });
    const [first, second] = await Promise.allSettled([
      bus.publish('orders', 1),
      bus.publish('orders', large),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'DISCO_BACKPRESSURE' } });
    await bus.publish('orders', large);
  });

  it('is aborted by its signal before it is sent', async () => {
    const bus = await started({ driver: new DeafDriver(), shutdownTimeout: 1 });
    await expect(bus.publish('orders', 1, { signal: AbortSignal.abort('why') })).rejects.toMatchObject({
      code: 'DISCO_ABORTED',
      name: 'AbortError',
      cause: 'why',
    });
  });

  it('publishes a batch in order, or nothing of it', async () => {
    const bus = await started();
    const inbox = new Inbox<number>();
    await bus.subscribe('orders', (payload) => inbox.push(payload));
    await expect(bus.publishBatch('orders', [1, undefined, 3])).rejects.toThrow(
      code('DISCO_MESSAGE_UNDEFINED'),
    );
    await expect(bus.publishBatch('orders', 'abc' as never)).rejects.toThrow(code('DISCO_CONFIGURATION'));
    const receipts = await bus.publishBatch('orders', [1, 2, 3], { id: 'batch' });
    expect(receipts.map(({ id }) => id)).toEqual(['batch.0', 'batch.1', 'batch.2']);
    expect(await inbox.until(3)).toEqual([1, 2, 3]);
    expect(await bus.publishBatch('orders', [])).toEqual([]);
  });

  it('carries bytes unchanged, and large bodies compressed', async () => {
    const bus = await started();
    const inbox = new Inbox<unknown>();
    await bus.subscribe('orders', (payload) => inbox.push(payload));
    const bodies = [
      Buffer.alloc(0),
      Buffer.from([0, 31, 139, 255]),
      Buffer.alloc(300_000, 7),
      'y'.repeat(300_000),
    ];
    for (const body of bodies) await bus.publish('orders', body);
    const received = await inbox.until(4);
    for (const body of bodies) expect(received.filter((each) => same(each, body))).toHaveLength(1);
  });

  it('keeps the order of one publisher whatever the options of its messages', async () => {
    const bus = await started();
    const inbox = new Inbox<number>();
    await bus.subscribe('orders', (payload) => inbox.push(payload), { concurrency: 1 });
    const sent = Array.from({ length: 50 }, (_, n) =>
      bus.publish('orders', n, n % 7 === 0 ? { timeout: 5_000 } : n % 5 === 0 ? { id: `own-${n}` } : {}),
    );
    await Promise.all(sent);
    expect(await inbox.until(50)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('takes the correlation id of the message being handled', async () => {
    const bus = await started({ middleware: [correlation()] });
    const inbox = new Inbox<string | undefined>();
    await bus.subscribe('second', (_, ctx) => inbox.push(ctx.headers['x-correlation-id']));
    await bus.subscribe('first', () => bus.publish('second', 1));
    const { id } = await bus.publish('first', 1);
    await bus.publish('first', 1, { headers: { 'x-correlation-id': 'chain-1' } });
    expect(await inbox.until(2)).toEqual([id, 'chain-1']);
    await bus.publish('second', 1);
    expect((await inbox.until(3))[2]).toBeUndefined();
  });
});

function same(left: unknown, right: unknown): boolean {
  return Buffer.isBuffer(left) && Buffer.isBuffer(right) ? left.equals(right) : left === right;
}

describe('agreement on the guarantee', () => {
  it('refuses a publish that a subscription of the same bus would never receive', async () => {
    const bus = await started();
    const subscription = await bus.subscribe('orders', () => {}, { delivery: 'at-least-once' });
    await expect(bus.publish('orders', 1)).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(bus.publish('orders', 1, { delivery: 'at-least-once' })).resolves.toBeDefined();
    await subscription.close();
    await expect(bus.publish('orders', 1)).rejects.toThrow(code('DISCO_TOPIC_CONFLICT'));
  });

  it('reads the topics table on both sides, exact names before patterns', async () => {
    const bus = await started({
      topics: { 'audit.>': { delivery: 'at-least-once' }, 'audit.live': { delivery: 'at-most-once' } },
    });
    const inbox = new Inbox<string>();
    await bus.subscribe('audit.*', (payload, ctx) => inbox.push(`${payload} ${ctx.topic}`));
    expect((await bus.publish('audit.login', 'a')).position).toBeDefined();
    expect(await inbox.until(1)).toEqual(['a audit.login']);
    await expect(bus.publish('audit.live', 'b')).rejects.toThrow(code('DISCO_CONFIGURATION'));
    await expect(bus.subscribe('audit.x', () => {}, { delivery: 'at-most-once' })).rejects.toThrow(
      code('DISCO_CONFIGURATION'),
    );
  });
});

describe('a bus that is connecting', () => {
  it('lets calls wait, and fails them when it is stopped instead', async () => {
    const { promise, open } = gate();
    class SlowDriver extends MemoryDriver {
      override async connect(): Promise<void> {
        await promise;
        return super.connect();
      }
    }
    const bus = make({ driver: new SlowDriver(), connection: { wait: false } });
    await bus.start();
    expect(bus.state).toBe('connecting');
    const publishing = bus.publish('orders', 1);
    open();
    await expect(publishing).resolves.toBeDefined();
    expect(bus.state).toBe('ready');
  });
});
