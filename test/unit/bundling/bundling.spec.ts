import { BundlingDriver } from '../../../lib/bundling/bundling-driver.js';
import type { Delivery } from '../../../lib/driver/delivery.js';
import type { DriverPublishOptions, DriverReceipt } from '../../../lib/driver/driver.js';
import { MemoryBroker, MemoryDriver } from '../../../lib/drivers/memory/index.js';
import { joinBundle, splitBundle } from '../../../lib/message/bundle.js';
import { encodeFrame } from '../../../lib/message/frame.js';
import { noHeaders } from '../../../lib/message/headers.js';
import { gate, Inbox } from '../bus/support.js';

const fanOut = { delivery: 'at-most-once', id: 'x', timeoutMs: 5_000 } as const;
const stored = { delivery: 'at-least-once', id: 'x', timeoutMs: 5_000 } as const;
const frame = (n: number, size = 1) =>
  encodeFrame({
    id: `m${n}`,
    timestamp: 1,
    headers: noHeaders,
    codec: 0,
    compression: 0,
    body: '0'.repeat(size),
  });

/** Keeps what is published, and confirms it when told to. */
class WatchedDriver extends MemoryDriver {
  readonly published: { frame: Uint8Array; options: DriverPublishOptions }[] = [];
  hold?: Promise<void>;

  override async publish(
    topic: string,
    bytes: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    this.published.push({ frame: bytes, options });
    if (this.hold) await this.hold;
    return super.publish(topic, bytes, options);
  }

  get sizes(): number[] {
    return this.published.map(({ frame: bytes }) => (bytes[3] & 0x80 ? splitBundle(bytes).length : 1));
  }
}

describe('BundlingDriver', () => {
  const open: BundlingDriver[] = [];
  const make = async (options = {}, watched = new WatchedDriver()) => {
    const driver = new BundlingDriver(watched, options);
    open.push(driver);
    await driver.connect();
    return { driver, watched };
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((driver) => driver.close()));
  });

  it('joins what one turn publishes to one topic, and only that', async () => {
    const { driver, watched } = await make();
    await Promise.all(
      [1, 2, 3]
        .map((n) => driver.publish('a', frame(n), fanOut))
        .concat(driver.publish('b', frame(4), fanOut)),
    );
    expect(watched.sizes).toEqual([3, 1]);
  });

  it('passes a lone frame on as it is, in the same turn', async () => {
    const { driver, watched } = await make();
    const lone = frame(1);
    const publishing = driver.publish('a', lone, fanOut);
    await Promise.resolve();
    expect(watched.published[0].frame).toBe(lone);
    await publishing;
  });

  it('waits for the confirmation of the one before while a topic is busy', async () => {
    const { driver, watched } = await make();
    const { promise, open: confirm } = gate();
    watched.hold = promise;
    const publishing = [driver.publish('a', frame(0), fanOut)];
    await Promise.resolve();
    for (let n = 1; n <= 5; n++) {
      publishing.push(driver.publish('a', frame(n), fanOut));
      await Promise.resolve();
    }
    expect(watched.sizes).toEqual([1]);
    confirm();
    await Promise.all(publishing);
    expect(watched.sizes).toEqual([1, 5]);
  });

  it('keeps a bundle within its count and its bytes', async () => {
    const { driver, watched } = await make({ 'at-most-once': { maxMessages: 4, maxBytes: 400 } });
    await Promise.all(Array.from({ length: 10 }, (_, n) => driver.publish('a', frame(n), fanOut)));
    expect(watched.sizes).toEqual([4, 4, 2]);
    watched.published.length = 0;
    await Promise.all([150, 150, 150, 900].map((size, n) => driver.publish('a', frame(n, size), fanOut)));
    expect(watched.sizes).toEqual([2, 1, 1]);
  });

  it.each([
    ['an id of the caller', { deduplicate: true }],
    ['a delay', { delayMs: 1 }],
    ['a ttl', { ttlMs: 1_000 }],
    ['a signal', { signal: new AbortController().signal }],
    ['another timeout', { timeoutMs: 77 }],
  ])('sends a frame with %s alone, and in its place', async (_, extra) => {
    const { driver, watched } = await make();
    const all = [1, 2].map((n) => driver.publish('a', frame(n), stored));
    all.push(driver.publish('a', frame(3), { ...stored, ...extra }), driver.publish('a', frame(4), stored));
    await Promise.all(all);
    expect(watched.sizes).toEqual([2, 1, 1]);
    expect(watched.published[1].options).toMatchObject(extra);
  });

  it('joins again once a first frame that travelled alone, with a timeout of its own, is confirmed', async () => {
    const { driver, watched } = await make();
    await driver.publish('a', frame(1), { ...stored, deduplicate: true, timeoutMs: 77 });
    await Promise.all([2, 3].map((n) => driver.publish('a', frame(n), stored)));
    expect(watched.sizes).toEqual([1, 2]);
  });

  it('fails every publisher of a bundle that fails', async () => {
    const { driver, watched } = await make();
    watched.hold = Promise.reject(new Error('broken'));
    const results = await Promise.allSettled([1, 2].map((n) => driver.publish('a', frame(n), fanOut)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('tells each publisher its place in the bundle', async () => {
    const { driver } = await make();
    const receipts = await Promise.all([1, 2].map((n) => driver.publish('a', frame(n), stored)));
    const lone = await driver.publish('a', frame(3), stored);
    expect(receipts[0].position).toMatch(/#0$/);
    expect(receipts[1].position).toBe(receipts[0].position?.replace('#0', '#1'));
    expect(lone.position).not.toContain('#');
  });

  it('sends what is waiting when it is closed, and takes nothing after', async () => {
    const { driver, watched } = await make();
    const publishing = driver.publish('a', frame(1), fanOut);
    await driver.close();
    await publishing;
    expect(watched.sizes).toEqual([1]);
    await expect(driver.publish('a', frame(1), fanOut)).rejects.toThrow(
      expect.objectContaining({ code: 'DISCO_CLOSED' }),
    );
  });

  it('settles each frame of a stored bundle by itself', async () => {
    const broker = new MemoryBroker();
    const { driver } = await make({}, new WatchedDriver({ broker }));
    const inbox = new Inbox<Delivery>();
    const reading = {
      delivery: 'at-least-once',
      group: 'g',
      maxInFlight: 10,
      startFrom: 'beginning',
    } as const;
    await driver.subscribe('a', reading, inbox.push);
    await Promise.all([1, 2, 3].map((n) => driver.publish('a', frame(n), stored)));
    const [first, second, third] = await inbox.until(3);
    await first.ack();
    await first.deadLetter({ reason: 'attempts' });
    await second.retry(0);
    await third.deadLetter({ reason: 'unrecoverable' });
    const again = (await inbox.until(4))[3];
    expect([Buffer.from(again.frame), again.attempt]).toEqual([frame(2), 2]);
    await again.ack();
    expect(broker.deadLetters('a', 'g').map((letter) => Buffer.from(letter.frame))).toEqual([frame(3)]);
  });

  it('repeats, after a crash, only the frames of a bundle that were not settled', async () => {
    const broker = new MemoryBroker();
    const { driver } = await make({}, new WatchedDriver({ broker }));
    const crashing = new BundlingDriver(new MemoryDriver({ broker }));
    await crashing.connect();
    const reading = {
      delivery: 'at-least-once',
      group: 'g',
      maxInFlight: 10,
      startFrom: 'beginning',
    } as const;
    const [before, after] = [new Inbox<Delivery>(), new Inbox<Delivery>()];
    await crashing.subscribe('a', reading, before.push);
    await Promise.all([1, 2, 3].map((n) => driver.publish('a', frame(n), stored)));
    const deliveries = await before.until(3);
    await deliveries[1].ack();
    await crashing.close();
    await driver.subscribe('a', reading, after.push);
    const repeated = await after.until(2);
    expect(repeated.map((each) => Buffer.from(each.frame))).toEqual([frame(1), frame(3)]);
    await Promise.all(repeated.map((each) => each.ack()));
  });

  it('hands a bundle that cannot be split on as it is', async () => {
    const { driver, watched } = await make();
    const inbox = new Inbox<Delivery>();
    await driver.subscribe('a', { ...fanOut, group: 'g', maxInFlight: 1, startFrom: 'new' }, inbox.push);
    const broken = joinBundle([frame(1), frame(2)]).subarray(0, 40);
    await watched.publish('a', broken, fanOut);
    const [whole] = await inbox.until(1);
    expect(Buffer.from(whole.frame)).toEqual(Buffer.from(broken));
  });
});
