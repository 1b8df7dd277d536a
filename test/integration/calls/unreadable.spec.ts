import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { lastValueFrom } from 'rxjs';
import type { DiscoBusOptions } from '../../../lib/bus/bus-options.js';
import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import type { DeliveryGuarantee } from '../../../lib/driver/capabilities.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { type Engine, engines, redisUrl, silent, stage, useEngines } from '../../transport/support.js';
import { gate, Inbox } from '../../unit/bus/support.js';

useEngines();

const MIB = 1024 * 1024;
/** Far longer than any of these calls may take: who is not told at once fails its test by this. */
const timeout = '60s';
/** What gzip makes almost nothing of. */
const shrinking = (bytes: number) => 'x'.repeat(bytes);
/** What gzip makes nothing smaller of. */
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
      ['has more bytes than the limit', {}, noise(MIB / 8)],
      ['has more bytes than a frame may have', {}, noise(MIB)],
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
      expect(asking.pendingRequests).toBe(0);
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
