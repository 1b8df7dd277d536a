import { trace } from '@opentelemetry/api';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { openTelemetry } from '../../../lib/opentelemetry/open-telemetry.js';
import type { Tracing } from '../../../lib/tracing/tracing.js';
import { Telemetry } from '../../support/telemetry.js';
import { buses, gate, Inbox } from '../bus/support.js';

const { started } = buses();
let telemetry: Telemetry;

beforeEach(() => {
  telemetry = new Telemetry();
});
afterEach(() => telemetry.close());

const tracedBus = () => started({ tracing: openTelemetry() });
const activeId = () => trace.getActiveSpan()?.spanContext().spanId;

describe('a traced request', () => {
  it.each(['at-most-once', 'at-least-once'] as const)('%s: goes on until its reply', async (delivery) => {
    const bus = await tracedBus();
    const seen = new Inbox<string | undefined>();
    const sum = ([a, b]: number[]) => {
      seen.push(activeId());
      return a + b;
    };
    await bus.subscribe('sum', sum, { delivery });
    const { result, id } = await telemetry.within('http', () => bus.request('sum', [1, 2], { delivery }));
    expect(result).toBe(3);
    const [request] = await telemetry.named('request sum');
    const [process] = await telemetry.named('process sum');
    expect(request).toMatchObject({ kind: 'PRODUCER', parentId: id, failed: false });
    expect(request.attributes).not.toHaveProperty('messaging.disco_bus.called_off');
    expect(process).toMatchObject({ kind: 'CONSUMER', parentId: request.spanId });
    expect(await seen.until(1)).toEqual([process.spanId]);
    // A request is published once: it has no second span for that.
    expect(telemetry.spans.map(({ name }) => name).sort()).toEqual(['http', 'process sum', 'request sum']);
  });

  it('whose handler streams ends with the last reply, and the work behind it belongs to its span', async () => {
    const bus = await tracedBus();
    const seen = new Inbox<string | undefined>();
    await bus.subscribe('count', async function* () {
      yield 1;
      await Promise.resolve();
      seen.push(activeId());
      yield 2;
    });
    const values: unknown[] = [];
    await new Promise<void>((complete, error) =>
      bus.requestStream('count', {}, {}, { next: (value) => values.push(value), complete, error }),
    );
    expect(values).toEqual([1, 2]);
    const [process] = await telemetry.named('process count');
    expect(await seen.until(1)).toEqual([process.spanId]);
    await telemetry.named('request count');
  });

  it('that fails says so on both sides', async () => {
    const bus = await tracedBus();
    await bus.subscribe('sum', () => Promise.reject(new RangeError('too large')));
    await expect(bus.request('sum', 1)).rejects.toMatchObject({ code: 'DISCO_REMOTE' });
    const [request] = await telemetry.named('request sum');
    const [process] = await telemetry.named('process sum');
    expect(request.attributes['error.type']).toBe('DISCO_REMOTE');
    expect(process.attributes['error.type']).toBe('RangeError');
  });

  it('that is called off ends on both sides', async () => {
    const bus = await tracedBus();
    const begun = gate();
    await bus.subscribe('forever', async function* (_, { signal }) {
      yield 1;
      begun.open();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    const callOff = bus.requestStream('forever', {}, {}, { next() {}, complete() {}, error() {} });
    await begun.promise;
    callOff();
    const [process] = await telemetry.named('process forever');
    await telemetry.named('request forever');
    expect(process.attributes['error.type']).toBe('DISCO_ABORTED');
  });

  it('that nobody answered before it was called off says that', async () => {
    const bus = await tracedBus();
    const begun = gate();
    const forever = () => {
      begun.open();
      return new Promise(() => {});
    };
    await bus.subscribe('forever', forever, { timeout: 50 });
    const callOff = bus.requestStream('forever', {}, {}, { next() {}, complete() {}, error() {} });
    await begun.promise;
    callOff();
    const [request] = await telemetry.named('request forever');
    expect(request.attributes['messaging.disco_bus.called_off']).toBe(true);
    expect(request.failed).toBe(false);
  });
});

describe('a traced lock', () => {
  let locks: LockManager;

  beforeEach(async () => {
    locks = new LockManager(memoryDriver().lockStore({ prefix: 'l' }), { tracing: openTelemetry() });
    await locks.connect();
  });
  afterEach(() => locks.close());

  it('has a span for waiting and one for its work, which runs within it', async () => {
    const { result, id } = await telemetry.within('job', () => locks.using('order:1', activeId));
    const [acquire] = await telemetry.named('acquire lock');
    const [hold] = await telemetry.named('hold lock');
    expect(acquire).toMatchObject({ kind: 'INTERNAL', parentId: id, failed: false });
    expect(hold).toMatchObject({ parentId: id, attributes: { 'disco_bus.lock.keys': ['order:1'] } });
    expect(result).toBe(hold.spanId);
    await locks.semaphore('pool', 2).using(() => 1);
    expect(await telemetry.named('hold lock', 2)).toHaveLength(2);
  });

  it('says that it was not free, and that it was not had in time', async () => {
    const lock = await locks.acquire('a');
    expect(await locks.tryAcquire('a')).toBeNull();
    await expect(locks.acquire('a', { wait: 1 })).rejects.toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED' });
    await lock.release();
    const [had, notFree, late] = await telemetry.named('acquire lock', 3);
    expect(had.attributes).not.toHaveProperty('disco_bus.lock.acquired');
    expect(notFree.attributes['disco_bus.lock.acquired']).toBe(false);
    expect([notFree.failed, late.failed]).toEqual([false, true]);
    expect(late.attributes['error.type']).toBe('DISCO_LOCK_NOT_ACQUIRED');
  });

  it('has no span where that is not wanted', async () => {
    const quiet = new LockManager(memoryDriver().lockStore({ prefix: 'l' }), {
      tracing: openTelemetry({ locks: false }),
    });
    await quiet.connect();
    expect(await quiet.using('a', () => 1)).toBe(1);
    await quiet.close();
    expect(telemetry.spans).toEqual([]);
  });
});

describe('tracing that is at fault', () => {
  const fails = (): never => {
    throw new Error('broken tracer');
  };
  const twice = <T>(work: () => T) => {
    work();
    return work();
  };
  const whole = { headers: () => undefined, run: <T>(work: () => T) => work(), end: () => {} };

  it.each<[string, Tracing, boolean]>([
    ['throws at the beginning', { begin: fails }, true],
    ['answers a promise at the beginning', { begin: async () => whole } as never, true],
    ['rejects at the beginning', { begin: () => Promise.reject(new Error('late')) } as never, true],
    ['gives headers later', { begin: () => ({ ...whole, headers: async () => ({}) }) } as never, true],
    ['rejects to give headers', { begin: () => ({ ...whole, headers: async () => fails() }) } as never, true],
    ['throws everywhere', { begin: () => ({ headers: fails, run: fails, end: fails }) }, true],
    ['runs nothing', { begin: () => ({ ...whole, run: () => undefined as never }) }, false],
    ['runs twice', { begin: () => ({ ...whole, run: twice }) }, false],
    ['gives headers that cannot be', { begin: () => ({ ...whole, headers: () => ({ 'a b': 'c' }) }) }, true],
  ])('%s: each message is sent and handled once', async (_, tracing, isTold) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const bus = await started({ tracing });
    const handled = new Inbox<unknown>();
    await bus.subscribe('orders', (payload) => handled.push(payload));
    await bus.subscribe('sum', (payload) => payload);
    await bus.subscribe('failing', () => Promise.reject(new RangeError('as before')));
    await bus.publish('orders', 1);
    await bus.publishBatch('orders', [2, 3]);
    expect(await bus.request('sum', 4)).toBe(4);
    await expect(bus.request('failing', 5)).rejects.toMatchObject({
      message: expect.stringContaining('as before'),
    });
    expect(await handled.until(3)).toEqual([1, 2, 3]);
    const codes = warned.mock.calls.map(([, options]) => (options as unknown as { code: string }).code);
    warned.mockRestore();
    expect(codes).toEqual(isTold ? ['DISCO_GUEST'] : []);
  });

  it('is refused where it is none', async () => {
    await expect(started({ tracing: {} as never })).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    expect(() => openTelemetry({ parentWithin: 'soon' as never })).toThrow(
      expect.objectContaining({ code: 'DISCO_CONFIGURATION' }),
    );
    expect(() => openTelemetry({ createSpan: true } as never)).toThrow(/createSpans/);
  });
});
