import { Redis } from 'ioredis';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import type { BatchPartlySentError } from '../../../lib/errors/publish.errors.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';
import { buses, Inbox } from '../bus/support.js';

const KIB = 1024;
const { started } = buses();
const code = (expected: string) => expect.objectContaining({ code: expected });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** How many were accepted, and why the others were not. */
async function outcomes(publishing: readonly Promise<unknown>[]) {
  const results = await Promise.allSettled(publishing);
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  return { accepted: results.length - refused.length, refused };
}

async function partlySent(publishing: Promise<unknown>): Promise<BatchPartlySentError> {
  const error: unknown = await publishing.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: 'DISCO_BATCH_PARTLY_SENT', name: 'BatchPartlySentError' });
  return error as BatchPartlySentError;
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

describe.each([
  ['memory', 'at-most-once'],
  ['memory', 'at-least-once'],
  ['redis', 'at-most-once'],
  ['redis', 'at-least-once'],
] as const)('what may be published at a time, %s %s', (name, delivery: DeliveryGuarantee) => {
  /** A bus with a handler that keeps what it gets, on a topic of its own. */
  async function scene(options: Partial<DiscoBusOptions>) {
    const driver = name === 'memory' ? memoryDriver() : redisDriver({ url: server.url });
    const prefix = `p${Math.random().toString(36).slice(2)}`;
    const bus = await started({ driver, prefix, defaults: { delivery }, ...options });
    const inbox = new Inbox<unknown>();
    await bus.subscribe('t', (payload) => inbox.push(payload), { concurrency: 1 });
    return { bus, inbox };
  }

  it('is bounded in count: what goes beyond is refused at once, and never sent', async () => {
    const { bus, inbox } = await scene({ publishLimit: { messages: 100 } });
    const { accepted, refused } = await outcomes(numbers(250).map((n) => bus.publish('t', n)));
    expect([accepted, refused.length]).toEqual([100, 150]);
    expect(refused[0]).toMatchObject({ code: 'DISCO_BACKPRESSURE', retryable: true });
    expect(refused[0].message).toContain('publishLimit allows 100 messages');
    await bus.publish('t', 'end');
    expect(await inbox.until(101)).toEqual([...numbers(100), 'end']);
  });

  it('is bounded in bytes, save for a message that goes alone', async () => {
    const { bus, inbox } = await scene({ publishLimit: { bytes: 10 * KIB }, compression: false });
    const body = Buffer.alloc(KIB);
    const { accepted, refused } = await outcomes(numbers(25).map(() => bus.publish('t', body)));
    expect([accepted, refused.length]).toEqual([10, 15]);
    await bus.publish('t', Buffer.alloc(20 * KIB));
    expect(await inbox.until(11)).toHaveLength(11);
  });

  it('counts what is still being compressed', async () => {
    const { bus, inbox } = await scene({ publishLimit: { bytes: 3_000_000 } });
    const text = 'x'.repeat(1_000_000 - 2);
    const { accepted, refused } = await outcomes(numbers(10).map(() => bus.publish('t', text)));
    expect([accepted, refused.length]).toEqual([3, 7]);
    await bus.publish('t', text);
    expect(await inbox.until(4)).toHaveLength(4);
  });

  it('paces a batch that is larger than the bound, and leaves room for others', async () => {
    const { bus, inbox } = await scene({ publishLimit: { messages: 100 } });
    const publishing = bus.publishBatch('t', numbers(1_000));
    const beside = bus.publish('other', 'beside', { delivery: 'at-most-once' });
    const receipts = await publishing;
    await beside;
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(1_000);
    expect(await inbox.until(1_000)).toEqual(numbers(1_000));
  });

  it('paces a batch by bytes, beside publishes that take all the room there is', async () => {
    const { bus, inbox } = await scene({ publishLimit: { bytes: 16 * KIB }, compression: false });
    const others = numbers(16).map(() => bus.publish('other', Buffer.alloc(KIB)));
    const bodies = numbers(50).map((n) => Buffer.alloc(KIB, n));
    expect(await bus.publishBatch('t', bodies)).toHaveLength(50);
    await Promise.all(others);
    const arrived = (await inbox.until(50)) as Buffer[];
    expect(arrived.map((bytes) => bytes[0])).toEqual(numbers(50));
  });

  it('sends nothing of a paced batch with a fault in its last place', async () => {
    const { bus, inbox } = await scene({ publishLimit: { messages: 100 } });
    const publishing = bus.publishBatch('t', [...numbers(1_000), undefined]);
    await expect(publishing).rejects.toThrow(code('DISCO_MESSAGE_UNDEFINED'));
    await bus.publish('t', 'end');
    expect(await inbox.until(1)).toEqual(['end']);
  });

  it('keeps the order of a batch and what is published behind it', async () => {
    const { bus, inbox } = await scene({});
    await Promise.all([bus.publishBatch('t', [1, 2]), bus.publish('t', 3), bus.publishBatch('t', [4])]);
    expect(await inbox.until(4)).toEqual([1, 2, 3, 4]);
  });
});

describe('a batch that fails half way', () => {
  const stored = { delivery: 'at-least-once' } as const;

  it.each([
    ['memory', () => memoryDriver({ maxLength: 10 }), 'DISCO_DRIVER'],
    ['redis', () => redisDriver({ url: server.url, streams: { maxLength: 10 } }), 'DISCO_STREAM_FULL'],
  ] as const)('tells what was accepted and what was not when a topic is full: %s', async (_, make, cause) => {
    const options = { driver: make(), publishLimit: { messages: 80 }, bundling: false as const };
    const bus = await started({ ...options, prefix: 'full', shutdownTimeout: 1 });
    // A group that is done with nothing.
    await bus.subscribe('t', () => new Promise(() => {}), { ...stored, concurrency: 1, prefetch: 0 });
    const error = await partlySent(bus.publishBatch('t', numbers(50), { ...stored, id: 'b' }));
    const ids = error.receipts.map((receipt) => receipt?.id);
    expect(ids).toEqual(numbers(50).map((n) => (n < 10 ? `b.${n}` : undefined)));
    expect(error.failed).toEqual(numbers(50).slice(10));
    expect([error.unknown, error.topic, error.retryable]).toEqual([[], 't', false]);
    expect(error.message).toBe(
      'Of 50 messages for "t" 10 were published, 40 were not, and of 0 it is unknown',
    );
    expect(error.cause).toEqual(code(cause));
    // Where nothing at all was accepted, the failure itself is the whole truth.
    await expect(bus.publishBatch('t', [1, 2], stored)).rejects.toThrow(code(cause));
  });

  it('tells of each message the truth when the server runs out of memory between two chunks', async () => {
    const small = await RedisServer.start('--maxmemory', '6mb', '--maxmemory-policy', 'noeviction');
    const admin = new Redis(small.url);
    try {
      const driver = redisDriver({ url: small.url });
      const limits = { publishLimit: { bytes: 2_000 * KIB }, bundling: false, compression: false } as const;
      const bus = await started({ driver, prefix: 'oom', ...limits });
      const bodies = numbers(200).map((n) => Buffer.alloc(100 * KIB, n));
      const error = await partlySent(bus.publishBatch('t', bodies, stored));
      const inRedis = (await admin.xrange('oom:{t}', '-', '+')).map(([id]) => id);
      const accepted = error.receipts.flatMap((receipt) => (receipt ? [receipt.position] : []));
      expect(accepted).toEqual(inRedis);
      expect(accepted.length).toBeGreaterThan(5);
      expect(accepted.length + error.failed.length).toBe(200);
      expect(error.unknown).toEqual([]);
      expect(error.cause).toEqual(code('DISCO_DRIVER'));
      await bus.stop();
    } finally {
      admin.disconnect();
      await small.stop();
    }
  });

  it('says that it does not know of what was sent into a connection that has died', async () => {
    const proxy = await FaultProxy.start(server.port);
    try {
      const listener = await started({ driver: redisDriver({ url: server.url }), prefix: 'cut' });
      const arrived = new Inbox<number>();
      await listener.subscribe('t', (n: number) => {
        if (n === 0) proxy.blackHole('to-server');
        arrived.push(n);
      });
      const driver = redisDriver({ url: proxy.url, heartbeat: '10s' });
      const bus = await started({
        driver,
        prefix: 'cut',
        publishLimit: { messages: 400 },
        shutdownTimeout: 1,
      });
      const error = await partlySent(bus.publishBatch('t', numbers(20_000), { timeout: 500 }));
      const accepted = error.receipts.flatMap((receipt, place) => (receipt ? [place] : []));
      expect(accepted.length).toBeGreaterThanOrEqual(100);
      expect(accepted).toEqual(numbers(accepted.length));
      expect(error.unknown[0]).toBe(accepted.length);
      expect(error.failed[0]).toBe(accepted.length + error.unknown.length);
      expect(error.failed.at(-1)).toBe(19_999);
      expect(error.cause).toEqual(code('DISCO_PUBLISH_OUTCOME_UNKNOWN'));
      await arrived.until(accepted.length);
    } finally {
      await proxy.stop();
    }
  });
});
