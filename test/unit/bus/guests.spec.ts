import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import type { Metrics, TopicMetrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { Inbox } from './support.js';

const throws = (): never => {
  throw new Error('a guest that throws');
};
const rejects = (): any => Promise.reject(new Error('a guest that rejects'));
/** Every property of it is `call`. */
const all = <T>(call: unknown): T => new Proxy({}, { get: () => call, has: () => true }) as T;
const metricsOf = (call: unknown): Metrics => {
  const topic = all<TopicMetrics>(call);
  return new Proxy({} as Metrics, {
    get: (_, name) => (name === 'topic' ? () => topic : call),
    has: () => true,
  });
};
const silent = { log() {}, warn() {}, error() {} };

interface Guests extends Partial<Pick<DiscoBusOptions, 'logger' | 'metrics'>> {
  readonly listener?: () => any;
}

const guests: Record<string, Guests> = {
  'a logger that throws': { logger: all(throws) },
  'a logger that rejects': { logger: all(rejects) },
  'a logger whose methods go': { logger: { ...silent } },
  'metrics that throw': { metrics: metricsOf(throws) },
  'metrics that reject': { metrics: metricsOf(rejects) },
  'metrics that have no topics': { metrics: all(throws) },
  'a status listener that throws': { listener: throws },
  'a status listener that rejects': { listener: rejects },
};

/** A logger of its own for each test that takes the methods from it. */
const restored = ({ logger }: Guests) =>
  logger && Object.hasOwn(logger, 'log') ? { logger: Object.assign(logger, silent) } : {};

const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeAll(() => process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

describe.each(Object.entries(guests))('%s', (_, { listener, ...options }) => {
  const warnings: string[] = [];
  let emit: jest.SpyInstance;
  let broker: MemoryBroker;
  let bus: DiscoBus;

  beforeEach(async () => {
    warnings.length = 0;
    emit = jest.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)));
    broker = new MemoryBroker();
    bus = new DiscoBus({
      driver: memoryDriver({ broker }),
      service: 's',
      logger: silent,
      ...options,
      ...restored(options),
    });
    if (listener) bus.onStatus(listener);
    if (options.logger && Object.hasOwn(options.logger, 'log'))
      Object.assign(options.logger, { log: 0, warn: 0, error: 0 });
    await bus.start();
  });
  afterEach(async () => {
    await bus.stop();
    emit.mockRestore();
    expect(unhandled.splice(0)).toEqual([]);
    expect(warnings.length).toBeLessThanOrEqual(1);
  });

  const once = { delivery: 'at-most-once' } as const;
  const durable = {
    delivery: 'at-least-once',
    retry: { attempts: 2, backoff: { type: 'fixed', delay: 1 } },
  } as const;

  it('publish: changes nothing', async () => {
    await bus.publish('t', 1, once);
    await bus.publish('kept', 1, { delivery: 'at-least-once' });
  });

  it.each([once, durable])('handle and fail, $delivery: changes nothing', async (how) => {
    const seen = new Inbox<string>();
    const handler = (payload: string) => {
      seen.push(payload);
      if (payload === 'bad') throw new Error('bad');
    };
    await bus.subscribe('t', handler, how);
    for (const payload of ['one', 'bad', 'two']) await bus.publish('t', payload, { delivery: how.delivery });
    const attempts = how === durable ? 2 : 1;
    expect((await seen.until(2 + attempts)).filter((payload) => payload === 'bad')).toHaveLength(attempts);
    expect(seen.items).toContain('two');
    await bus.drain();
    if (how === durable) expect(await bus.deadLetters('t').peek()).toMatchObject([{ reason: 'attempts' }]);
  });

  it('undecodable: is a dead letter, and what follows is handled', async () => {
    const seen = new Inbox<unknown>();
    await bus.subscribe('t', seen.push, { delivery: 'at-least-once' });
    const raw = memoryDriver({ broker });
    await raw.connect({});
    await raw.publish('t', Buffer.from('junk'), { delivery: 'at-least-once', id: 'j', timeoutMs: 1_000 });
    await bus.publish('t', 'good', { delivery: 'at-least-once' });
    await seen.until(1);
    await bus.drain();
    await raw.close();
    expect(await bus.deadLetters('t').peek()).toMatchObject([{ reason: 'undecodable' }]);
  });

  it('request: is answered', async () => {
    await bus.subscribe('asked', (n: number) => n + 1, once);
    expect(await bus.request('asked', 1, once)).toBe(2);
  });

  it('close: ends, also when asked to drain by one that throws', async () => {
    bus.onDrain(throws);
    await bus.stop();
    expect(bus.state).toBe('closed');
  });

  it('locks: are taken, lost and given back', async () => {
    const driver = memoryDriver({ broker });
    const locks = locksOf({ driver, metrics: options.metrics, service: 's' });
    await locks.connect();
    const lock = await locks.acquire('a', { ttl: 1_000 });
    expect(await locks.tryAcquire('a')).toBeNull();
    await lock.release();
    const lost = await locks.acquire('b', { ttl: 100, autoExtend: false });
    await new Promise<void>((resolve) => lost.signal.addEventListener('abort', () => resolve()));
    await locks.close();
  });
});

test('a guest that throws is told once, by name', async () => {
  const emit = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const bus = new DiscoBus({ driver: memoryDriver(), service: 's', logger: all(throws) });
  await bus.start();
  await bus.stop();
  expect(emit.mock.calls).toEqual([
    [
      expect.stringMatching(/^logger\.log threw, .*a guest that throws/),
      expect.objectContaining({ code: 'DISCO_GUEST' }),
    ],
  ]);
  emit.mockRestore();
});

describe('metrics that answer something else', () => {
  const parts = {
    topic: /^metrics\.topic answered (.*) and not an object with the method "published"; it is left out$/,
    handler: /^metrics\.handler answered (.*) and not an object with the method "processed"; it is left out$/,
    group: /^metrics\.group answered (.*) and not an object with the method "set"; it is left out$/,
  };
  // biome-ignore lint/suspicious/noThenProperty: it is what promises of other libraries are like.
  const thenable = { then: (_: unknown, failed: (error: Error) => void) => failed(new Error('late')) };
  const answers: [given: string, answer: () => unknown][] = [
    ['a promise', async () => noopMetrics],
    ['a promise', rejects],
    ['a promise', () => thenable],
    ['a value of type undefined', () => undefined],
    ['a value of type object', () => ({})],
  ];
  const cases = Object.entries(parts).flatMap(([method, told]) =>
    answers.map(([given, answer]) => ({ method, given, answer, told })),
  );

  it.each(cases)(
    '$method: $given is told once, and the others measure',
    async ({ method, given, answer, told }) => {
      const warnings = new Inbox<string>();
      const emit = jest
        .spyOn(process, 'emitWarning')
        .mockImplementation((text) => warnings.push(String(text)));
      const rejected = unhandled.length;
      const read = new Inbox<unknown>();
      const handled = new Inbox<unknown>();
      const metrics: Metrics = {
        ...noopMetrics,
        topic: (topic) => ({ ...noopMetrics.topic(topic), processed: (status) => handled.push(status) }),
        handler: () => ({ processed: (status) => handled.push(status) }),
        group: () => ({ set: (numbers) => void (numbers && read.push(numbers)) }),
        [method]: answer,
      };
      const bus = new DiscoBus({ driver: memoryDriver(), service: 's', logger: silent, metrics });
      const seen = new Inbox<unknown>();
      const started = bus.start();
      await bus.subscribe('t', seen.push);
      await started;
      await bus.publishBatch('t', [1, 2]);
      expect(await seen.until(2)).toEqual([1, 2]);
      const measuring = 2 * (method === 'group' ? 2 : 1);
      expect(await handled.until(measuring)).toEqual(Array(measuring).fill('success'));
      if (method !== 'group') await read.until(1);
      await warnings.until(1);
      await bus.stop();
      await new Promise(setImmediate);
      emit.mockRestore();
      expect((await warnings.until(1)).map((text) => told.exec(text)?.[1] ?? text)).toEqual([given]);
      expect(unhandled.slice(rejected)).toEqual([]);
    },
  );
});
