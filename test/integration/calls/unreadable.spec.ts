import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { DiscoBusOptions } from '../../../lib/bus/options/bus-options.js';
import { replyBufferBytes } from '../../../lib/bus/requests/reply-order.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import type { Codec } from '../../../lib/codec/codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { type Engine, engines, silent, stage, useEngines } from '../../transport/support.js';
import { gate, Inbox } from '../../unit/bus/support.js';

useEngines();

const MIB = 1024 * 1024;
/** Far longer than any of these calls may take: who is not told at once fails its test by this. */
const timeout = '60s';
/** What gzip makes almost nothing of. */
const shrinking = (bytes: number) => 'x'.repeat(bytes);
/** Bytes that nothing here compresses. */
const noise = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, n) => (n * 2654435761) >>> 13));

const open: DiscoBus[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.stop()));
});

let unique = 0;

/** Makes buses that share a prefix, as the processes of one test do. */
function processes(engine: Engine) {
  const prefix = `u${process.pid}-${++unique}`;
  return async (options: Partial<DiscoBusOptions> = {}): Promise<DiscoBus> => {
    const bus = new DiscoBus({
      driver: engine.driver(),
      prefix,
      logger: silent,
      service: 'answers',
      defaults: { delivery: 'at-most-once' },
      ...options,
    });
    open.push(bus);
    await bus.start();
    return bus;
  };
}

function failureOf(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    (value) => Promise.reject(new Error(`it resolved with ${JSON.stringify(value)}`.slice(0, 200))),
    (error: unknown) => error,
  );
}

function droppedBy(bus: DiscoBus): Inbox<string> {
  const reasons = new Inbox<string>();
  bus.onStatus((status: BusStatus) => status.type === 'dropped' && reasons.push(status.reason));
  return reasons;
}

const each = engines.filter(({ name }) => name === 'memory' || name === 'redis streams');
const guarantees: DeliveryGuarantee[] = ['at-most-once', 'at-least-once'];

describe.each(each)('A request that its responder cannot read, over $name', (engine) => {
  describe.each(guarantees)('%s', (delivery) => {
    it.each([
      ['inflates beyond the limit', { compression: {} }, shrinking(MIB)],
      ['has more bytes than the limit', { compression: false as const }, noise(MIB / 8)],
      ['has more bytes than a frame may have', { compression: false as const }, noise(MIB)],
    ])('fails at once when it %s', async (_, options, payload) => {
      const bus = processes(engine);
      const answering = await bus({ maxMessageSize: 64 * 1024 });
      const asking = await bus(options);
      const dropped = droppedBy(answering);
      let handled = 0;
      await answering.subscribe('t', () => ++handled, { delivery, deadLetter: false });
      const error = await failureOf(asking.request('t', payload, { delivery, timeout }));
      expect(error).toMatchObject({ code: 'DISCO_REMOTE' });
      expect(['DISCO_CODEC', 'DISCO_MESSAGE_TOO_LARGE']).toContain(error.remoteCode);
      expect(error.message).toMatch(/limit/);
      expect(await dropped.until(1)).toEqual(['undecodable']);
      expect(handled).toBe(0);
      expect(transportAccess(asking).pendingRequests).toBe(0);
    });
  });

  it('fails at once when its codec is unknown there, and goes to the dead letters as before', async () => {
    const bus = processes(engine);
    const answering = await bus();
    const asking = await bus({
      codec: {
        name: 'own',
        encode: (payload) => ({ data: Buffer.from(String(payload)), codec: 5, compression: 0 }),
        decode: (body) => new JsonCodec().decode(body),
      },
    });
    const delivery = 'at-least-once';
    await answering.subscribe('t', () => 1, { delivery });
    const error = await failureOf(asking.request('t', 'x', { delivery, timeout }));
    expect(error).toMatchObject({
      code: 'DISCO_REMOTE',
      remoteName: 'CodecError',
      remoteCode: 'DISCO_CODEC',
    });
    await answering.drain();
    expect(await answering.deadLetters('t').peek()).toMatchObject([{ reason: 'undecodable' }]);
  });

  it('fails at once when there is no room for it to wait', async () => {
    const bus = processes(engine);
    const answering = await bus();
    const asking = await bus();
    const busy = gate();
    const running = new Inbox<DiscoMessageContext>();
    const handler = async (payload: number, context: DiscoMessageContext) => {
      running.push(context);
      await busy.promise;
      return payload;
    };
    await answering.subscribe('t', handler, { concurrency: 1, backlog: { limit: 1 } });
    const first = asking.request('t', 1, { timeout });
    await running.until(1);
    const others = [2, 3].map((n) => asking.request('t', n, { timeout }));
    const refused = await Promise.race(others.map((other) => failureOf(other)));
    expect(refused).toMatchObject({ code: 'DISCO_REMOTE', remoteCode: 'DISCO_BACKPRESSURE' });
    busy.open();
    expect(await first).toBe(1);
    const outcomes = await Promise.allSettled(others);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

/** What an observer of a stream of replies is told: each value, then the end or the error. */
function streamOf(bus: DiscoBus, topic: string) {
  const values: unknown[] = [];
  const ended = gate<any>();
  bus.requestStream(
    topic,
    1,
    { timeout },
    { next: (value) => values.push(value), complete: () => ended.open('end'), error: ended.open },
  );
  return { values, ended: ended.promise };
}

describe.each(each)('A request that was being read when its subscription paused, over $name', (engine) => {
  it('is told at once that it is not handled when that closes', async () => {
    const bus = processes(engine);
    const reading = gate();
    const begun = gate();
    const json = new JsonCodec();
    const slow: Codec = {
      name: 'slow',
      encode: (payload) => json.encode(payload),
      decode: async (body) => {
        begun.open();
        await reading.promise;
        return json.decode(body);
      },
    };
    const answering = await bus({ codec: slow });
    const asking = await bus();
    let handled = 0;
    const subscription = await answering.subscribe('t', () => ++handled);
    const failing = failureOf(asking.request('t', 1, { timeout }));
    await begun.promise;
    subscription.pause();
    reading.open();
    await subscription.close();
    expect(await failing).toMatchObject({ code: 'DISCO_NO_RESPONDERS' });
    expect(handled).toBe(0);
  });
});

describe.each(each)('A reply that its requester cannot read, over $name', (engine) => {
  it.each([
    ['inflates beyond the limit', { compression: {} }, shrinking(MIB), 'DISCO_CODEC'],
    ['has more bytes than the limit', { compression: false as const }, noise(MIB / 8), 'DISCO_CODEC'],
    ['has more bytes than a frame may have', { compression: false as const }, noise(MIB), undefined],
  ])('fails its call at once when it %s, and no other', async (_, options, payload, code) => {
    const bus = processes(engine);
    const answering = await bus(options);
    const asking = await bus({ maxMessageSize: 64 * 1024 });
    const later = gate<string>();
    await answering.subscribe('other', () => later.promise);
    await answering.subscribe('t', () => payload);
    const other = asking.request('other', 1, { timeout });
    const error = await failureOf(asking.request('t', 1, { timeout }));
    expect(error).toMatchObject({ code: 'DISCO_REPLY_LOST', reason: 'unreadable', topic: 't' });
    expect(error.message).toMatch(/limit/);
    if (code) expect(error.cause).toMatchObject({ code });
    later.open('fine');
    expect(await other).toBe('fine');
    expect(transportAccess(asking).pendingRequests).toBe(0);
  });

  it('ends a stream behind what came before it, and calls the handler off', async () => {
    const bus = processes(engine);
    const answering = await bus({ compression: {} });
    const asking = await bus({ maxMessageSize: 64 * 1024 });
    const calledOff = gate();
    await answering.subscribe('t', async function* (_payload: unknown, context: DiscoMessageContext) {
      context.signal.addEventListener('abort', () => calledOff.open());
      yield* [1, 2, shrinking(MIB), 3];
      await calledOff.promise;
    });
    const { values, ended } = streamOf(asking, 't');
    expect(await ended).toMatchObject({ code: 'DISCO_REPLY_LOST', reason: 'unreadable' });
    expect(values).toEqual([1, 2]);
    await calledOff.promise;
  });
});

describe.each(each)('A stream with replies that take long to read, over $name', (engine) => {
  it.each([0, 2_500])('arrives whole and in order, the long one at place %i of 5001', async (place) => {
    const bus = processes(engine);
    const answering = await bus({ compression: {} });
    const asking = await bus({ compression: {} });
    const long = shrinking(9 * MIB);
    const sent = Array.from({ length: 5_001 }, (_, n) => (n === place ? long : n));
    await answering.subscribe('t', async function* () {
      yield* sent;
    });
    const { values, ended } = streamOf(asking, 't');
    expect(await ended).toBe('end');
    expect(values.length).toBe(sent.length);
    expect(values.every((value, n) => value === sent[n])).toBe(true);
  });

  it('fails at once when more comes than may wait, and calls the handler off', async () => {
    const bus = processes(engine);
    const answering = await bus({ compression: false });
    const reading = gate();
    const json = new JsonCodec();
    const slow: Codec = {
      name: 'slow',
      encode: (payload) => json.encode(payload),
      decode: async (body) => {
        const payload = await json.decode(body);
        if (payload === 'slow') await reading.promise;
        return payload;
      },
    };
    const asking = await bus({ codec: slow, maxMessageSize: MIB });
    const value = noise(MIB / 2).toString('base64');
    const fit = Math.floor(replyBufferBytes(MIB) / value.length);
    const calledOff = gate();
    await answering.subscribe('t', async function* (_payload: unknown, context: DiscoMessageContext) {
      context.signal.addEventListener('abort', () => calledOff.open());
      yield 'slow';
      for (let n = 0; n <= fit; n++) yield value;
      await calledOff.promise;
    });
    const { values, ended } = streamOf(asking, 't');
    expect(await ended).toMatchObject({ code: 'DISCO_REPLY_LOST', reason: 'overflow', topic: 't' });
    expect(values).toEqual([]);
    await calledOff.promise;
    reading.open();
  });
});

@Controller()
class Echo {
  @MessagePattern('length')
  length(@Payload() text: string): number {
    return text.length;
  }

  @MessagePattern('repeat')
  repeat(@Payload() bytes: number): string {
    return shrinking(bytes);
  }
}

describe.each(engines)('A Nest client and server with different limits, over $name', (engine) => {
  const { client, serve } = stage(engine);
  const generous = { maxMessageSize: 32 * MIB, compression: {} };

  it('fail a request at once that the server cannot read, with the reason', async () => {
    await serve(Echo);
    const asking = client({ ...generous, timeout });
    expect(await lastValueFrom(asking.send('length', shrinking(9 * MIB)))).toBe(9 * MIB);
    expect(await failureOf(lastValueFrom(asking.send('length', shrinking(11 * MIB))))).toEqual({
      name: 'CodecError',
      code: 'DISCO_CODEC',
      message: 'The compressed body inflates beyond the limit',
    });
  });

  it('fail a request at once whose reply the client cannot read', async () => {
    await serve(Echo, { servers: [generous] });
    const asking = client({ timeout });
    expect(await lastValueFrom(asking.send('repeat', 10))).toBe(shrinking(10));
    expect(await failureOf(lastValueFrom(asking.send('repeat', 11 * MIB)))).toMatchObject({
      code: 'DISCO_REPLY_LOST',
      reason: 'unreadable',
    });
  });
});
