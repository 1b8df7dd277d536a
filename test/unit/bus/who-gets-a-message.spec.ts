import { defaultGroup } from '../../../lib/bus/options/topic-table.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { topicsOverlap } from '../../../lib/message/topic-pattern.js';
import { buses, Inbox, KeepingLogger } from './support.js';

const { started } = buses();
const plain = { defaults: {}, service: 'billing' };

describe('the default guarantee', () => {
  it('is at least once, for publishes and subscriptions alike', async () => {
    const bus = await started(plain);
    const inbox = new Inbox<unknown>();
    const { position } = await bus.publish('orders', 'before anybody reads');
    expect(position).toBeDefined();
    const subscription = await bus.subscribe('orders', inbox.push);
    expect(subscription.group).toBe('billing');
    expect(await inbox.until(1)).toEqual(['before anybody reads']);
  });

  it('is at most once on the Go wire', async () => {
    const bus = await started({ ...plain, topics: { legacy: { wire: 'go' } } });
    expect(await bus.publish('legacy', 1)).toMatchObject({ receivers: 0 });
  });

  it('is what a driver with one guarantee offers', async () => {
    const driver = memoryDriver();
    const { 'at-most-once': fanOut } = driver.capabilities;
    Object.defineProperty(driver, 'capabilities', { value: { 'at-most-once': fanOut } });
    const bus = await started({ ...plain, driver });
    expect(await bus.publish('orders', 1)).toMatchObject({ receivers: 0 });
  });
});

describe('overlapping subscriptions', () => {
  it.each([
    [['orders.created', 'orders.*']],
    [['orders.*', 'orders.>']],
    [['orders.created', 'orders.*', '>']],
  ])('%j each get every message', async (topics) => {
    const bus = await started(plain);
    const got: Record<string, number[]> = {};
    const inbox = new Inbox<number>();
    for (const topic of topics) {
      got[topic] = [];
      const { group } = await bus.subscribe(topic, (n) => {
        got[topic].push(n);
        inbox.push(n);
      });
      expect(group).toBe(topic.includes('*') || topic.includes('>') ? `billing@${topic}` : 'billing');
    }
    for (let n = 0; n < 20; n++) await bus.publish('orders.created', n);
    await inbox.until(20 * topics.length);
    for (const topic of topics) expect(got[topic].toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
  });

  it('fail each for itself', async () => {
    const bus = await started(plain);
    const audited = new Inbox<number>();
    await bus.subscribe('orders.*', audited.push);
    const retried = new Inbox<number>();
    await bus.subscribe(
      'orders.paid',
      (_, { attempt }) => {
        retried.push(attempt);
        throw new Error('no');
      },
      { retry: { attempts: 2, backoff: { delay: 1 } } },
    );
    await bus.publish('orders.paid', 1);
    expect(await retried.until(2)).toEqual([1, 2]);
    await bus.drain();
    expect(audited.items).toEqual([1]);
    expect(await bus.deadLetters('orders.paid').count()).toBe(1);
  });

  it.each([
    ['orders', 'orders', undefined],
    ['orders.*', 'orders.*', undefined],
    ['orders.a', 'orders.*', 'audit'],
    ['orders.*', '*.a', 'audit'],
  ])('of "%s" and "%s" in one group %s are refused, naming both', async (one, other, group) => {
    const bus = await started(plain);
    const first = await bus.subscribe(one, () => {}, { group, name: 'First.on' });
    const second = bus.subscribe(other, () => {}, { group, name: 'Second.on' });
    await expect(second).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
      message: expect.stringMatching(/First\.on and Second\.on/),
    });
    await first.close();
    await expect(bus.subscribe(other, () => {}, { group })).resolves.toBeDefined();
  });

  it('may share a group when both say so, and only then', async () => {
    const bus = await started(plain);
    const inbox = new Inbox<number>();
    await bus.subscribe('jobs', inbox.push, { shared: true });
    await expect(bus.subscribe('jobs', inbox.push)).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    await bus.subscribe('jobs', inbox.push, { shared: true });
    for (let n = 0; n < 10; n++) await bus.publish('jobs', n);
    expect((await inbox.until(10)).toSorted((a, b) => a - b)).toEqual([...Array(10).keys()]);
  });
});

describe('an announced subscription', () => {
  it('is agreed with before it reads anything', async () => {
    const bus = await started(plain);
    const declared = bus.declare('ticks', { delivery: 'at-most-once' }, 'Ticker.on');
    await expect(bus.publish('ticks', 1)).rejects.toThrow(/at-least-once .*Ticker\.on .*at-most-once/);
    declared.withdraw();
    await expect(bus.publish('ticks', 1)).resolves.toBeDefined();
  });
});

describe('a service without a name', () => {
  const connected = 'Connected to the memory of this process';
  it('takes that of package.json, and warns once when it reads at least once', async () => {
    const logger = new KeepingLogger();
    const bus = await started({ defaults: {}, service: undefined, logger });
    expect(bus.service).toBe('nestjs-disco-bus');
    await bus.subscribe('fanned', () => {}, { delivery: 'at-most-once' });
    await bus.subscribe('named', () => {}, { group: 'own' });
    expect(logger.lines).toEqual([connected]);
    await bus.subscribe('orders', () => {}, { name: 'Shop.on' });
    await bus.subscribe('refunds', () => {});
    expect(logger.lines).toEqual([
      connected,
      expect.stringMatching(/No service is named.*Shop\.on.*nestjs-disco-bus/),
    ]);
  });

  it('is told nothing when it has one', async () => {
    const logger = new KeepingLogger();
    const bus = await started({ ...plain, logger });
    await bus.subscribe('orders', () => {});
    expect(logger.lines).toEqual([connected]);
  });
});

describe('topics overlap', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'b', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['>', 'a', true],
    ['*.b', 'a.*', true],
    ['*.b', 'a.c', false],
    ['a.>', '*.*.c', true],
  ])('%s and %s: %s', (one, other, overlap) => {
    expect(topicsOverlap(one, other)).toBe(overlap);
    expect(topicsOverlap(other, one)).toBe(overlap);
  });
});

it('keeps the name of a derived group within what drivers take', () => {
  expect(defaultGroup('billing', 'orders')).toBe('billing');
  expect(defaultGroup('s'.repeat(100), `${'x'.repeat(190)}.*`).length).toBeLessThanOrEqual(200);
});
