import { type Delivery } from '../../../lib/driver/delivery.js';
import { type DiscoDriver, type DriverPublishOptions } from '../../../lib/driver/driver.js';
import {
  MemoryBroker,
  type MemoryDriver,
  memoryBroker,
  memoryDriver,
} from '../../../lib/drivers/memory/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const text = (delivery: Delivery) => Buffer.from(delivery.frame).toString();
let clock: ManualClock;
let drivers: MemoryDriver[];

beforeEach(() => {
  clock = new ManualClock();
  drivers = [];
});
afterEach(async () => {
  await Promise.all(drivers.map((driver) => driver.close()));
  expect(clock.pending).toBe(0);
});

async function connected(driver: MemoryDriver, prefix?: string): Promise<MemoryDriver> {
  drivers.push(driver);
  await driver.connect(prefix === undefined ? {} : { prefix });
  return driver;
}

function publish(
  driver: DiscoDriver,
  topic: string,
  body: string,
  options: Partial<DriverPublishOptions> = {},
) {
  const given = { delivery: 'at-least-once', id: body, timeoutMs: 1_000, ...options } as const;
  return driver.publish(topic, Buffer.from(body), given);
}

async function collect(
  driver: DiscoDriver,
  topic: string,
  {
    group = 'g',
    delivery = 'at-least-once' as const,
    settle = (given: Delivery): unknown => given.ack(),
  } = {},
) {
  const deliveries: Delivery[] = [];
  const options = { delivery, group, maxInFlight: 10, startFrom: 'beginning' } as const;
  const subscription = await driver.subscribe(topic, options, (given) => {
    deliveries.push(given);
    settle(given);
  });
  return { deliveries, subscription };
}

describe('sharing', () => {
  it('drivers have nothing in common unless they are given one broker', async () => {
    const [one, other] = [await connected(memoryDriver({ clock })), await connected(memoryDriver({ clock }))];
    const { deliveries } = await collect(other, 't');
    await publish(one, 't', 'm');
    await clock.advance(1);
    expect(deliveries).toEqual([]);
  });

  it('drivers with different prefixes do not meet on one broker', async () => {
    const broker = new MemoryBroker({ clock });
    const one = await connected(memoryDriver({ broker }), 'a');
    const other = await connected(memoryDriver({ broker }), 'b');
    const { deliveries } = await collect(other, 't');
    await publish(one, 't', 'm');
    await clock.advance(1);
    expect(deliveries).toEqual([]);
    expect([broker.length('t', 'a'), broker.length('t', 'b'), broker.length('t')]).toEqual([1, 0, 0]);
  });

  it('a named broker is shared by name, and forgotten when its last driver closes', async () => {
    const broker = memoryBroker('shared');
    expect(memoryBroker('shared')).toBe(broker);
    expect(memoryBroker('other')).not.toBe(broker);
    expect(memoryBroker()).not.toBe(memoryBroker());
    const [one, two] = [memoryDriver({ broker }), memoryDriver({ broker: memoryBroker('shared') })];
    await Promise.all([one.connect(), two.connect()]);
    await one.close();
    expect(memoryBroker('shared')).toBe(broker);
    await two.close();
    expect(memoryBroker('shared')).not.toBe(broker);
  });

  it('refuses options that belong to the broker it is given', () => {
    const broker = new MemoryBroker({ clock });
    expect(() => memoryDriver({ broker, maxLength: 5 })).toThrow(/maxLength/);
    expect(() => memoryDriver({ broker, clock: new ManualClock() })).toThrow(/clock/);
    expect(() => memoryDriver({ broker, clock, visibilityTimeout: '5s' })).not.toThrow();
  });

  it.each([{ maxLength: 0 }, { maxLength: 1.5 }, { visibilityTimeout: 'soon' as '1s' }])(
    'refuses %j',
    (options) => {
      expect(() => memoryDriver(options)).toThrow(expect.objectContaining({ code: 'DISCO_CONFIGURATION' }));
    },
  );
});

describe('what is kept', () => {
  it('drops what every group has acknowledged', async () => {
    const driver = await connected(memoryDriver({ clock }));
    for (let index = 0; index < 5; index++) await publish(driver, 't', `m${index}`);
    expect(driver.broker.length('t')).toBe(5);
    const slow = await collect(driver, 't', { group: 'slow', settle: () => undefined });
    await collect(driver, 't', { group: 'quick' });
    await clock.advance(1);
    expect(driver.broker.length('t')).toBe(5);
    await slow.deliveries[0].ack();
    await slow.deliveries[3].ack();
    expect(driver.broker.length('t')).toBe(3);
  });

  it('refuses more than maxLength, and takes up again when there is room', async () => {
    const driver = await connected(memoryDriver({ clock, maxLength: 2 }));
    await publish(driver, 't', 'a');
    await publish(driver, 't', 'b', { delayMs: 1_000 });
    await expect(publish(driver, 't', 'c')).rejects.toMatchObject({ retryable: true });
    await publish(driver, 'elsewhere', 'd');
    const { deliveries } = await collect(driver, 't');
    await clock.advance(1_000);
    await publish(driver, 't', 'e');
    await clock.advance(1);
    expect(deliveries.map(text)).toEqual(['a', 'b', 'e']);
  });

  it.each(['at-most-once', 'at-least-once'] as const)(
    'lets handlers keep up with a publisher that awaits each publish and nothing else, %s',
    async (delivery) => {
      const driver = await connected(memoryDriver({ clock }));
      let handled = 0;
      let behind = 0;
      const options = { delivery, group: 'g', maxInFlight: 10, startFrom: 'beginning' } as const;
      await driver.subscribe('t', options, (given) => {
        handled++;
        void given.ack();
      });
      for (let sent = 1; sent <= 2_000; sent++) {
        await publish(driver, 't', String(sent), { delivery });
        behind = Math.max(behind, sent - handled);
      }
      await clock.advance(1);
      expect(handled).toBe(2_000);
      expect(behind).toBeLessThan(10);
    },
  );

  it('refuses more than maxBytes, delayed ones and parts to be tried again included', async () => {
    const driver = await connected(memoryDriver({ clock, maxBytes: 10 }));
    const full = { code: 'DISCO_DRIVER', retryable: true, message: expect.stringContaining('is full') };
    await publish(driver, 't', 'four');
    await publish(driver, 't', 'five!', { delayMs: 1_000 });
    await expect(publish(driver, 't', 'x'.repeat(2))).rejects.toMatchObject(full);
    await publish(driver, 'elsewhere', 'x'.repeat(10));
    const part = { index: 0, frame: Buffer.from('eight...') };
    const { deliveries } = await collect(driver, 't', {
      settle: async (given) => {
        if (given.attempt === 1 && text(given) === 'four') await given.retry(60_000, part);
        await given.ack();
      },
    });
    await clock.advance(1_000);
    expect(deliveries.map(text)).toEqual(['four', 'five!']);
    await publish(driver, 't', 'ok');
    await clock.advance(1);
    await expect(publish(driver, 't', 'x'.repeat(3))).rejects.toMatchObject(full);
    await clock.advance(60_000);
    expect(driver.broker.length('t')).toBe(0);
    await publish(driver, 't', 'x'.repeat(10));
    await clock.advance(1);
    expect(deliveries.map(text)).toEqual(['four', 'five!', 'ok', 'eight...', 'xxxxxxxxxx']);
  });

  it('keeps of a part that is a dead letter its own bytes, and not those of its bundle', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const bundle = Buffer.alloc(64 * 1024, 'b');
    const { deliveries } = await collect(driver, 't', { settle: () => undefined });
    await publish(driver, 't', 'bundle');
    await clock.advance(1);
    await deliveries[0].deadLetter({ reason: 'attempts' }, { index: 0, frame: bundle.subarray(0, 4) });
    const [{ frame }] = driver.broker.deadLetters('t', 'g');
    expect([Buffer.from(frame).toString(), frame.buffer.byteLength]).toEqual(['bbbb', 4]);
    await deliveries[0].ack();
  });

  it('makes room by dropping what has outlived its time', async () => {
    const driver = await connected(memoryDriver({ clock, maxLength: 2 }));
    await publish(driver, 't', 'a', { ttlMs: 100 });
    await publish(driver, 't', 'b', { ttlMs: 5_000 });
    await clock.advance(100);
    await publish(driver, 't', 'c');
    const { deliveries } = await collect(driver, 't');
    await clock.advance(1);
    expect(deliveries.map(text)).toEqual(['b', 'c']);
  });

  it('keeps dead letters, parts too, with reason, attempts, time and position', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const { deliveries } = await collect(driver, 't', { settle: () => undefined });
    const { position } = await publish(driver, 't', 'bundle');
    await clock.advance(5);
    const error = { name: 'TypeError', message: 'x is not y' };
    await deliveries[0].deadLetter({ reason: 'undecodable' }, { index: 1, frame: Buffer.from('part') });
    await deliveries[0].deadLetter({ reason: 'attempts', error });
    await deliveries[0].deadLetter({ reason: 'terminated' });
    const letters = driver.broker.deadLetters('t', 'g');
    expect(letters.map(({ frame }) => Buffer.from(frame).toString())).toEqual(['part', 'bundle']);
    expect(letters[1]).toMatchObject({
      reason: 'attempts',
      error,
      attempts: 1,
      failedAt: clock.now(),
      originalPosition: position,
      replays: 0,
    });
    expect(driver.broker.deadLetters('t', 'other')).toEqual([]);
    expect(driver.broker.length('t')).toBe(0);
  });

  it('remembers an id for the window, not longer, and per topic', async () => {
    const driver = await connected(memoryDriver({ clock, deduplicationWindow: 1_000 }));
    const again = () => publish(driver, 't', 'm', { deduplicate: true });
    const { position } = await again();
    await clock.advance(999);
    expect(await again()).toEqual({ position, duplicate: true });
    await clock.advance(1);
    expect(await again()).toEqual({ position: expect.any(String) });
    await clock.advance(999);
    expect(await again()).toMatchObject({ duplicate: true });
    expect(driver.broker.length('t')).toBe(2);
  });

  it('keeps no more dead letters of a group than maxBytes of their frames, and tells that', async () => {
    const driver = await connected(memoryDriver({ clock, maxBytes: 100 }));
    const told: unknown[] = [];
    driver.onStatus((status) => status.type === 'dead-letters-full' && told.push(status));
    await collect(driver, 't', { settle: (given) => given.deadLetter({ reason: 'terminated' }) });
    for (const body of ['a', 'b', 'c', 'd']) {
      await publish(driver, 't', body.repeat(40));
      await clock.advance(0);
    }
    await publish(driver, 't', 'e'.repeat(90));
    await clock.advance(0);
    const kept = driver.broker.deadLetters('t', 'g').map(({ frame }) => frame.byteLength);
    const full = { type: 'dead-letters-full', topic: 't', group: 'g', maxDeadLetters: 10_000, maxBytes: 100 };
    expect(kept).toEqual([90]);
    expect(told).toEqual([1, 1, 2].map((dropped) => ({ ...full, dropped })));
    const letters = await driver.deadLetters('t', 'g');
    expect(await letters.purge()).toBe(1);
    await publish(driver, 't', 'f'.repeat(60));
    await clock.advance(0);
    expect([driver.broker.deadLetters('t', 'g').length, told.length]).toEqual([1, 3]);
  });

  it('tells each group, or nobody in particular, what a full log drops as its ttl is over', async () => {
    const driver = await connected(memoryDriver({ clock, maxLength: 2 }));
    const told: unknown[] = [];
    driver.onStatus((status) => status.type === 'expired' && told.push(status));
    const fill = async (topic: string) => {
      for (const id of ['a', 'b']) await publish(driver, topic, id, { ttlMs: 10 });
    };
    await fill('unread');
    await (await collect(driver, 't', { group: 'away' })).subscription.close();
    await fill('t');
    const { deliveries } = await collect(driver, 't', { group: 'slow', settle: () => {} });
    await clock.advance(20);
    expect(deliveries).toHaveLength(2);
    for (const topic of ['unread', 't']) await publish(driver, topic, 'c');
    expect(told).toEqual([
      { type: 'expired', topic: 'unread', group: undefined, messages: 2 },
      { type: 'expired', topic: 't', group: 'away', messages: 2 },
    ]);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    await clock.advance(120_000);
    expect(told).toHaveLength(2);
  });

  it('forgets the oldest ids of all topics beyond maxDeduplicationIds, and tells it', async () => {
    const driver = await connected(memoryDriver({ clock, maxDeduplicationIds: 2 }));
    const told: unknown[] = [];
    driver.onStatus((status) => told.push(status));
    const duplicates = [];
    for (const [topic, id] of ['t1', 'u1', 't1', 't2', 'u1', 't1']) {
      const { duplicate = false } = await publish(driver, topic, id, { deduplicate: true });
      duplicates.push(duplicate);
    }
    expect(duplicates).toEqual([false, false, true, false, true, false]);
    const full = { type: 'deduplication-full', maxIds: 2, windowMs: 120_000 };
    expect(told.filter((status) => (status as { type: string }).type !== 'unread')).toEqual([full]);
  });

  it('numbers positions like a stream, rising also when the wall clock goes back', async () => {
    let nowMs = 1_000;
    const jumping = Object.assign(new ManualClock(), { now: () => nowMs });
    const driver = await connected(memoryDriver({ clock: jumping }));
    const positions = [];
    for (nowMs of [1_000, 1_000, 900, 1_001]) positions.push((await publish(driver, 't', 'm')).position);
    expect(positions).toEqual(['1000-0', '1000-1', '1000-2', '1001-0']);
  });
});

describe('time', () => {
  it('delays to the millisecond of its clock', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const { deliveries } = await collect(driver, 't', {
      settle: (delivery) => (delivery.attempt === 1 ? delivery.retry(300) : delivery.ack()),
    });
    await publish(driver, 't', 'm', { delayMs: 500 });
    const sizes = [];
    for (const step of [499, 1, 299, 1]) {
      await clock.advance(step);
      sizes.push(deliveries.length);
    }
    expect(sizes).toEqual([0, 1, 1, 2]);
  });

  it('gives back what a closed subscription left after the visibility time, to the millisecond', async () => {
    const driver = await connected(memoryDriver({ clock, visibilityTimeout: '10s' }));
    const left = await collect(driver, 't', { settle: () => undefined });
    const next = await collect(driver, 't');
    await publish(driver, 't', 'm');
    await clock.advance(60_000);
    await left.subscription.close();
    await clock.advance(9_999);
    expect(next.deliveries).toEqual([]);
    await clock.advance(1);
    expect(next.deliveries.map(({ attempt }) => attempt)).toEqual([2]);
  });

  it('runs a timer for a closed subscription only until all it left is settled', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const { deliveries, subscription } = await collect(driver, 't', { settle: () => undefined });
    await publish(driver, 't', 'm');
    await clock.advance(1);
    await subscription.close();
    expect(clock.pending).toBe(1);
    await deliveries[0].ack();
    expect(clock.pending).toBe(0);
  });

  it('does what came due while no driver was connected when the next one connects', async () => {
    const broker = new MemoryBroker({ clock });
    const first = await connected(memoryDriver({ broker }));
    await publish(first, 't', 'm', { delayMs: 1_000 });
    await first.close();
    expect(clock.pending).toBe(0);
    await clock.advance(5_000);
    const { deliveries } = await collect(await connected(memoryDriver({ broker })), 't');
    await clock.advance(0);
    expect(deliveries.map(text)).toEqual(['m']);
  });
});

describe('turns', () => {
  it('delivers after the publisher’s own turn, in order', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const { deliveries } = await collect(driver, 't', { delivery: 'at-most-once' as never });
    const receipts = ['a', 'b', 'c'].map((body) => publish(driver, 't', body, { delivery: 'at-most-once' }));
    expect(deliveries).toEqual([]);
    expect(await Promise.all(receipts)).toEqual([{ receivers: 1 }, { receivers: 1 }, { receivers: 1 }]);
    await clock.advance(0);
    expect(deliveries.map(text)).toEqual(['a', 'b', 'c']);
  });

  it('a subscriber that publishes or refuses for ever lets the event loop go on', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const { subscription, deliveries } = await collect(driver, 't', { settle: (given) => given.retry(0) });
    await publish(driver, 't', 'm');
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    await subscription.close();
    expect(deliveries.length).toBeGreaterThan(256);
  });

  it('tells the listeners when a subscriber throws', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const told: unknown[] = [];
    driver.onStatus((status) => told.push(status));
    const thrown = new Error('thrown');
    const settle = () => {
      throw thrown;
    };
    await collect(driver, 't', { settle });
    await publish(driver, 't', 'm');
    await clock.advance(0);
    expect(told).toEqual([
      { type: 'error', error: expect.objectContaining({ code: 'DISCO_DRIVER', cause: thrown }) },
    ]);
  });

  it('refuses a delay where nothing is kept', async () => {
    const driver = await connected(memoryDriver({ clock }));
    const late = publish(driver, 't', 'm', { delivery: 'at-most-once', delayMs: 5 });
    await expect(late).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
  });
});

it('patterns and exact topics of one group share its messages', async () => {
  const driver = await connected(memoryDriver({ clock }));
  const exact = await collect(driver, 'a.b');
  const pattern = await collect(driver, 'a.*');
  for (let index = 0; index < 4; index++) await publish(driver, 'a.b', `m${index}`);
  await publish(driver, 'a.c', 'other');
  await clock.advance(1);
  expect([exact.deliveries.length, pattern.deliveries.length]).toEqual([2, 3]);
});
