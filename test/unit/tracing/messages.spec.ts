import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { openTelemetry } from '../../../lib/opentelemetry/open-telemetry.js';
import { Telemetry } from '../../support/telemetry.js';
import { buses, Inbox } from '../bus/support.js';

const { started } = buses();
const durable = { delivery: 'at-least-once' } as const;
const SECRET = 'payload-that-nobody-may-tell';
let telemetry: Telemetry;

beforeEach(() => {
  telemetry = new Telemetry();
});
afterEach(() => telemetry.close());

const tracedBus = (options: Parameters<typeof openTelemetry>[0] = {}) =>
  started({ tracing: openTelemetry(options), service: 'g' });

describe('a traced message', () => {
  it('is processed by a child of its publish, which hangs under what published it', async () => {
    const bus = await tracedBus();
    await bus.subscribe('orders', () => {}, durable);
    const { result, id } = await telemetry.within('http', () => bus.publish('orders', { n: 1 }, durable));
    const [publish] = await telemetry.named('publish orders');
    const [process] = await telemetry.named('process orders');
    expect(publish).toMatchObject({ kind: 'PRODUCER', parentId: id, links: [], failed: false });
    expect(publish.attributes).toEqual({
      'messaging.system': 'disco_bus',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.message.id': result.id,
    });
    expect(process).toMatchObject({ kind: 'CONSUMER', parentId: publish.spanId, links: [publish.spanId] });
    expect(process.traceId).toBe(publish.traceId);
    expect(process.attributes).toEqual({
      'messaging.system': 'disco_bus',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders',
      'messaging.consumer.group.name': 'g',
      'messaging.message.id': result.id,
      'messaging.disco_bus.attempt': 1,
    });
  });

  it('has its handler run within its span: what that publishes, and its baggage, go on from there', async () => {
    const bus = await tracedBus();
    const seen = new Inbox<string | undefined>();
    await bus.subscribe('second', () => seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value));
    await bus.subscribe('first', async () => {
      await Promise.resolve();
      await bus.publish('second', 2);
    });
    const baggage = propagation.createBaggage({ tenant: { value: 'a' } });
    await context.with(propagation.setBaggage(ROOT_CONTEXT, baggage), () => bus.publish('first', 1));
    expect(await seen.until(1)).toEqual(['a']);
    const [handled] = await telemetry.named('process first');
    const [published] = await telemetry.named('publish second');
    expect(published.parentId).toBe(handled.spanId);
  });

  it('has a process span for each of its handlers, under their pattern where they have one', async () => {
    const bus = await tracedBus();
    await bus.subscribe('orders.new', () => {});
    await bus.subscribe('orders.*', () => {});
    await bus.publish('orders.new', 1);
    const [publish] = await telemetry.named('publish orders.new');
    const [exact] = await telemetry.named('process orders.new');
    const [pattern] = await telemetry.named('process orders.*');
    expect([exact.parentId, pattern.parentId]).toEqual([publish.spanId, publish.spanId]);
    expect(exact.spanId).not.toBe(pattern.spanId);
    expect(pattern.attributes).toMatchObject({
      'messaging.destination.name': 'orders.new',
      'messaging.destination.template': 'orders.*',
    });
  });

  it('is nobody else’s: neither the span that subscribed nor that of the publisher is its handler’s', async () => {
    const bus = await tracedBus();
    const bare = await started();
    const seen = new Inbox<unknown>();
    const subscribing = await telemetry.within('boot', async () => {
      await bus.subscribe('orders', () => {}, durable);
      await bare.subscribe('orders', () => seen.push(trace.getActiveSpan()));
    });
    await bare.publish('orders', 1);
    expect(await seen.until(1)).toEqual([undefined]);
    await bus.publish('orders', 1, durable);
    const [process] = await telemetry.named('process orders');
    const [publish] = await telemetry.named('publish orders');
    expect(process.parentId).toBe(publish.spanId);
    expect(publish.parentId).toBeNull();
    expect([process.parentId, ...process.links]).not.toContain(subscribing.id);
  });

  it('keeps a context that its caller gave, untouched', async () => {
    const bus = await tracedBus();
    const headers = new Inbox<unknown>();
    await bus.subscribe('orders', (_, context) => headers.push({ ...context.headers }));
    const own = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b' };
    await bus.publish('orders', 1, { headers: { Traceparent: own.traceparent, tracestate: own.tracestate } });
    await bus.publishBatch('orders', [1], { headers: own });
    expect(await headers.until(2)).toEqual([own, own]);
    const publishes = await telemetry.named('publish orders', 2);
    for (const publish of publishes)
      expect(publish).toMatchObject({ kind: 'CLIENT', links: ['b7ad6b7169203331'], parentId: null });
    for (const process of await telemetry.named('process orders', 2))
      expect(process).toMatchObject({
        traceId: '0af7651916cd43dd8448eb211c80319c',
        parentId: 'b7ad6b7169203331',
      });
    expect(telemetry.spans.some(({ name }) => name.startsWith('create'))).toBe(false);
  });

  it('fails with its error’s type, is retried and dead-lettered, and no payload is told', async () => {
    const bus = await tracedBus();
    await bus.subscribe(
      'orders',
      (payload) => {
        throw Object.assign(new TypeError('bad luck'), { payload });
      },
      { ...durable, retry: { attempts: 2, backoff: { delay: 1 } } },
    );
    await bus.publish('orders', SECRET, durable);
    const [buried] = await telemetry.named('dead-letter orders');
    const [retried] = await telemetry.named('retry orders');
    const [publish] = await telemetry.named('publish orders');
    const attempts = await telemetry.named('process orders', 2);
    for (const [index, attempt] of attempts.entries()) {
      expect(attempt).toMatchObject({ failed: true, message: 'bad luck', events: ['exception: bad luck'] });
      expect(attempt).toMatchObject({ parentId: publish.spanId });
      expect(attempt.attributes).toMatchObject({
        'error.type': 'TypeError',
        'messaging.disco_bus.attempt': index + 1,
      });
    }
    expect(retried).toMatchObject({ kind: 'CLIENT', parentId: attempts[0].spanId });
    expect(buried).toMatchObject({ kind: 'CLIENT', parentId: attempts[1].spanId });
    expect(buried.attributes).toMatchObject({
      'messaging.operation.name': 'dead-letter',
      'messaging.operation.type': 'settle',
      'messaging.consumer.group.name': 'g',
    });
    expect(JSON.stringify(telemetry.spans)).not.toContain(SECRET);
  });

  it('tells an error’s type alone where exceptions are not wanted', async () => {
    const bus = await tracedBus({ exceptions: false });
    await bus.subscribe('orders', () => {
      throw new TypeError(SECRET);
    });
    await bus.publish('orders', 1);
    const [process] = await telemetry.named('process orders');
    expect(process).toMatchObject({ failed: true, events: [], message: undefined });
    expect(process.attributes['error.type']).toBe('TypeError');
    expect(JSON.stringify(telemetry.spans)).not.toContain(SECRET);
  });

  it('tells that it could not be published', async () => {
    const bus = await tracedBus();
    await expect(bus.publish('no topic', 1)).rejects.toMatchObject({ code: 'DISCO_TOPIC_INVALID' });
    await expect(bus.publishBatch('orders', [1, undefined])).rejects.toMatchObject({
      code: 'DISCO_MESSAGE_UNDEFINED',
    });
    const [one] = await telemetry.named('publish no topic');
    const [batch] = await telemetry.named('publish orders');
    expect([one.failed, batch.failed]).toEqual([true, true]);
    expect(one.attributes['error.type']).toBe('DISCO_TOPIC_INVALID');
  });

  it('is tried in place within one span for each attempt, where keys keep their order', async () => {
    const bus = await tracedBus();
    await bus.subscribe(
      'orders',
      (_, { attempt }) => {
        if (attempt === 1) throw new Error('once');
      },
      { ...durable, orderBy: 'key', retry: { attempts: 2, backoff: { delay: 1 } } },
    );
    await bus.publish('orders', 1, { ...durable, key: 'a' });
    const attempts = await telemetry.named('process orders', 2);
    expect(attempts.map(({ failed }) => failed)).toEqual([true, false]);
    const consumed = (await telemetry.measured()).get('messaging.client.consumed.messages');
    expect(consumed?.dataPoints.map(({ value }) => value)).toEqual([1]);
  });

  it('is only linked once it is old', async () => {
    const bus = await tracedBus({ parentWithin: 50 });
    await bus.subscribe('orders', () => {}, durable);
    await bus.publish('orders', 1, { ...durable, delay: 100 });
    const [process] = await telemetry.named('process orders');
    const [publish] = await telemetry.named('publish orders');
    expect(process).toMatchObject({ parentId: null, links: [publish.spanId] });
    expect(process.traceId).not.toBe(publish.traceId);
  });

  it('is only linked once it was replayed, whatever becomes of it then', async () => {
    const bus = await tracedBus();
    let fails = true;
    await bus.subscribe(
      'orders',
      (_, { attempt }) => {
        if (fails || attempt === 1) throw new Error('not yet');
      },
      { ...durable, retry: { attempts: 2, backoff: { delay: 1 } } },
    );
    await bus.publish('orders', 1, durable);
    await telemetry.named('dead-letter orders');
    fails = false;
    await bus.deadLetters('orders').replayAll();
    const [publish] = await telemetry.named('publish orders');
    const [first, second, replayed, again] = await telemetry.named('process orders', 4);
    expect([first.parentId, second.parentId]).toEqual([publish.spanId, publish.spanId]);
    for (const each of [replayed, again]) {
      expect(each).toMatchObject({ parentId: null, links: [publish.spanId] });
      expect(each.attributes['messaging.disco_bus.replayed']).toBe(true);
    }
    expect(first.attributes).not.toHaveProperty('messaging.disco_bus.replayed');
  });
});

describe('a traced batch', () => {
  it('is published with a create span for each message, and processed with a link to each', async () => {
    const bus = await tracedBus();
    await bus.subscribe('orders', () => {}, { ...durable, batch: { size: 3, linger: '1s' } });
    await bus.publishBatch('orders', [1, 2, 3], durable);
    const [send] = await telemetry.named('publish orders');
    const created = await telemetry.named('create orders', 3);
    const [process] = await telemetry.named('process orders');
    const ids = created.map(({ spanId }) => spanId);
    expect(send).toMatchObject({ kind: 'CLIENT', links: ids });
    expect(send.attributes['messaging.batch.message_count']).toBe(3);
    expect(created.every(({ kind }) => kind === 'PRODUCER')).toBe(true);
    expect(process).toMatchObject({ kind: 'CONSUMER', parentId: null });
    expect([...process.links].sort()).toEqual([...ids].sort());
    expect(process.attributes['messaging.batch.message_count']).toBe(3);
    expect(process.attributes).not.toHaveProperty('messaging.message.id');
  });

  it('goes on from the span of its publish where create spans are not wanted', async () => {
    const bus = await tracedBus({ createSpans: false });
    await bus.subscribe('orders', () => {}, durable);
    await bus.publishBatch('orders', [1, 2], durable);
    const [send] = await telemetry.named('publish orders');
    expect(send.kind).toBe('PRODUCER');
    for (const process of await telemetry.named('process orders', 2))
      expect(process.parentId).toBe(send.spanId);
    expect(telemetry.spans.some(({ name }) => name.startsWith('create'))).toBe(false);
  });

  it('has its retries hang under the call that failed', async () => {
    const bus = await tracedBus();
    const options = { ...durable, batch: { size: 2, linger: '1s' }, retry: false } as const;
    await bus.subscribe('orders', () => Promise.reject(new RangeError('no')), options);
    await bus.publishBatch('orders', [1, 2], durable);
    const [process] = await telemetry.named('process orders');
    const buried = await telemetry.named('dead-letter orders', 2);
    expect(process.attributes['error.type']).toBe('RangeError');
    expect(buried.map(({ parentId }) => parentId)).toEqual([process.spanId, process.spanId]);
  });
});

describe('the metrics of the conventions', () => {
  it('count what is sent and delivered, and how long that takes', async () => {
    const bus = await tracedBus({ attributes: { 'server.address': 'memory' } });
    let failures = 1;
    await bus.subscribe(
      'orders',
      () => {
        if (failures-- > 0) throw new TypeError('once');
      },
      { ...durable, retry: { attempts: 2, backoff: { delay: 1 } } },
    );
    await bus.publish('orders', 1, durable);
    await bus.publishBatch('orders', [2, 3], durable);
    await telemetry.named('process orders', 4);
    const measured = await telemetry.measured();
    const where = {
      'server.address': 'memory',
      'messaging.system': 'disco_bus',
      'messaging.destination.name': 'orders',
    };
    const publish = { ...where, 'messaging.operation.name': 'publish', 'messaging.operation.type': 'send' };
    const process = {
      ...where,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'g',
    };
    const values = (name: string) =>
      measured.get(name)?.dataPoints.map(({ attributes, value }) => ({ attributes, value }));
    expect(values('messaging.client.sent.messages')).toEqual([{ attributes: publish, value: 3 }]);
    expect(values('messaging.client.consumed.messages')).toEqual([{ attributes: process, value: 4 }]);
    const durations = measured.get('messaging.process.duration');
    expect(durations?.descriptor.unit).toBe('s');
    const counts = durations?.dataPoints.map(({ attributes, value }) => [
      attributes,
      (value as { count: number }).count,
    ]);
    expect(counts).toEqual(
      expect.arrayContaining([
        [{ ...process, 'error.type': 'TypeError' }, 1],
        [process, 3],
      ]),
    );
    const [point] = measured.get('messaging.client.operation.duration')!.dataPoints;
    expect((point.value as { buckets: { boundaries: number[] } }).buckets.boundaries).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]);
  });

  it('are not measured where that is not wanted', async () => {
    const bus = await tracedBus({ metrics: false });
    await bus.publish('orders', 1);
    expect(await telemetry.measured()).toEqual(new Map());
  });
});
