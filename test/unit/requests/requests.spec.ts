import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { ReplyStream } from '../../../lib/bus/requests/reply-stream.js';
import { REPLY_TO_HEADER } from '../../../lib/bus/requests/request-headers.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import { memoryDriver } from '../../../lib/drivers/memory/index.js';
import { MemoryBroker } from '../../../lib/drivers/memory/memory-broker.js';
import { RemoteError, type RequestTimeoutError } from '../../../lib/errors/request.errors.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { buses, gate, Inbox } from '../bus/support.js';

const { started } = buses();

/** Two buses on one broker, as two processes would be. */
async function pair(
  options: Parameters<typeof started>[0] = {},
): Promise<{ asking: DiscoBus; answering: DiscoBus }> {
  const broker = new MemoryBroker();
  const bus = () => started({ driver: memoryDriver({ broker }), ...options });
  return { asking: await bus(), answering: await bus() };
}

async function rejection(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    (value) => Promise.reject(new Error(`it resolved with ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );
}

/** The replies of one request, as text, until its end. */
function replies(bus: DiscoBus, topic: string, payload: unknown, options = {}) {
  const seen = new Inbox<string>();
  const ended = gate();
  const callOff = bus.requestStream(topic, payload, options, {
    next: (reply) => seen.push(JSON.stringify(reply)),
    complete: () => {
      seen.push('end');
      ended.open();
    },
    error: (error) => {
      seen.push((error as Error).name);
      ended.open();
    },
  });
  return { seen, ended: ended.promise, callOff };
}

describe('Requests', () => {
  it('resolve with what the handler returns, at once or later', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b));
    await answering.subscribe('later', async (text: string) => `${text}!`);
    expect(await asking.request('sum', [1, 2, 3])).toBe(6);
    expect(await asking.request('later', 'now')).toBe('now!');
    expect(await asking.request('sum', [4])).toBe(4);
    expect(transportAccess(asking).pendingRequests).toBe(0);
  });

  it('tell their timeout as it was given, also what is left of it in steps of 16 ms', async () => {
    const { asking, answering } = await pair();
    const told: number[] = [];
    await answering.subscribe(
      'echo',
      (payload: unknown, { headers }: DiscoMessageContext) => {
        told.push(Number(headers['x-timeout']));
        return payload;
      },
      { delivery: 'at-most-once' },
    );
    const ask = (leftMs: number | undefined) =>
      new Promise<void>((complete, error) => {
        transportAccess(asking).request(
          'echo',
          1,
          { timeoutMs: 5000, leftMs },
          { next: () => {}, complete, error },
        );
      });
    await ask(undefined);
    await Promise.all([undefined, undefined, 4990, 1001].map(ask));
    expect(told).toEqual([5000, 5000, 5000, 4992, 1008]);
  });

  it('carry null, bytes and large replies', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('echo', (payload: unknown) => payload);
    expect(await asking.request('echo', null)).toBeNull();
    expect(await asking.request('echo', Buffer.from([0, 255, 1]))).toEqual(Buffer.from([0, 255, 1]));
    const large = 'x'.repeat(300_000);
    expect(await asking.request('echo', large)).toBe(large);
  });

  it('are answered at least once by one member of a group', async () => {
    const { asking, answering } = await pair();
    const seen: number[] = [];
    const options = { delivery: 'at-least-once', group: 'workers', shared: true } as const;
    for (const name of [1, 2]) {
      await answering.subscribe('job', () => seen.push(name), options);
    }
    const results = await Promise.all(
      Array.from({ length: 20 }, () =>
        asking.request('job', 0, { delivery: 'at-least-once', group: 'workers' }),
      ),
    );
    expect(seen).toHaveLength(20);
    expect(new Set(results).size).toBe(20);
  });

  it('reject with RemoteError when the handler fails, without a stack', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('fail', () => {
      throw Object.assign(new TypeError('no such thing'), { code: 'E_NOTHING' });
    });
    const error = await rejection(asking.request('fail', 1));
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      message: 'no such thing',
      remoteName: 'TypeError',
      remoteCode: 'E_NOTHING',
    });
    expect(JSON.stringify(error.details)).not.toContain('at ');
  });

  it('reject with RemoteError when the reply cannot be written', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('bigint', () => 10n);
    expect(await rejection(asking.request('bigint', 1))).toMatchObject({
      code: 'DISCO_REMOTE',
      remoteCode: 'DISCO_CODEC',
    });
  });

  it('reject with NoRespondersError where nobody is there', async () => {
    const { asking } = await pair();
    const startedMs = performance.now();
    expect(await rejection(asking.request('nobody', 1, { delivery: 'at-most-once' }))).toMatchObject({
      code: 'DISCO_NO_RESPONDERS',
    });
    const stored = { delivery: 'at-least-once', group: 'workers' } as const;
    expect(await rejection(asking.request('nobody', 1, stored))).toMatchObject({
      code: 'DISCO_NO_RESPONDERS',
    });
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  it('reject with RequestTimeoutError when no reply comes, and the handler is told', async () => {
    const { asking, answering } = await pair();
    const aborted = gate<unknown>();
    await answering.subscribe('silent', (_payload, { signal }: DiscoMessageContext) => {
      signal.addEventListener('abort', () => aborted.open(signal.reason));
      return new Promise(() => {});
    });
    const error: RequestTimeoutError = await rejection(asking.request('silent', 1, { timeout: 60 }));
    expect(error).toMatchObject({ code: 'DISCO_REQUEST_TIMEOUT', reason: 'timeout', timeoutMs: 60 });
    expect(await aborted.promise).toMatchObject({ code: 'DISCO_REQUEST_TIMEOUT' });
  });

  it('can be called off by a signal', async () => {
    const { asking, answering } = await pair();
    const begun = gate();
    const aborted = gate<unknown>();
    await answering.subscribe('long', (_payload, { signal }: DiscoMessageContext) => {
      signal.addEventListener('abort', () => aborted.open(signal.reason));
      begun.open();
      return new Promise(() => {});
    });
    const controller = new AbortController();
    const answer = rejection(asking.request('long', 1, { signal: controller.signal }));
    await begun.promise;
    controller.abort();
    expect(await answer).toMatchObject({ name: 'AbortError' });
    expect(await aborted.promise).toMatchObject({ name: 'AbortError' });
    expect(await rejection(asking.request('long', 1, { signal: controller.signal }))).toMatchObject({
      name: 'AbortError',
    });
  });

  it('that have expired are not started', async () => {
    const { asking, answering } = await pair();
    const dropped = new Inbox<string>();
    answering.onStatus((status) => status.type === 'dropped' && dropped.push(status.reason));
    const handled: unknown[] = [];
    const subscription = await answering.subscribe('slow', (payload) => handled.push(payload), {
      delivery: 'at-least-once',
    });
    subscription.pause();
    expect(
      await rejection(asking.request('slow', 1, { delivery: 'at-least-once', timeout: 200 })),
    ).toMatchObject({
      code: 'DISCO_REQUEST_TIMEOUT',
    });
    subscription.resume();
    expect(await dropped.until(1)).toEqual(['expired']);
    expect(handled).toEqual([]);
  });

  it('are bounded', async () => {
    const { asking, answering } = await pair({ maxPendingRequests: 2 });
    const open = gate<string>();
    await answering.subscribe('wait', () => open.promise);
    const waiting = [asking.request('wait', 1), asking.request('wait', 2)];
    expect(await rejection(asking.request('wait', 3))).toMatchObject({ code: 'DISCO_BACKPRESSURE' });
    open.open('go');
    expect(await Promise.all(waiting)).toEqual(['go', 'go']);
    expect(await asking.request('wait', 4)).toBe('go');
  });

  it('that wait when their bus stops reject with ClosedError', async () => {
    const { asking, answering } = await pair({ shutdownTimeout: 50 });
    const begun = gate();
    await answering.subscribe('wait', () => {
      begun.open();
      return new Promise(() => {});
    });
    const answer = rejection(asking.request('wait', 1));
    await begun.promise;
    await asking.stop();
    expect(await answer).toMatchObject({ code: 'DISCO_CLOSED' });
    expect(await rejection(asking.request('wait', 1))).toMatchObject({ code: 'DISCO_CLOSED' });
  });

  it('that are handled when the other bus stops are told so', async () => {
    const { asking, answering } = await pair({ shutdownTimeout: 30 });
    const begun = gate();
    await answering.subscribe('wait', () => {
      begun.open();
      return new Promise(() => {});
    });
    const answer = rejection(asking.request('wait', 1));
    await begun.promise;
    await answering.stop();
    expect(await answer).toMatchObject({ code: 'DISCO_REMOTE', remoteCode: 'DISCO_CLOSED' });
  });

  it('made before the connection is up wait for it', async () => {
    const broker = new MemoryBroker();
    const answering = await started({ driver: memoryDriver({ broker }) });
    await answering.subscribe('echo', (payload: unknown) => payload);
    const asking = await started({ driver: memoryDriver({ broker }) });
    expect(await asking.request('echo', 'early')).toBe('early');
  });

  it('leave it to another handler when one returns undefined', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('>', () => undefined);
    await answering.subscribe('who', () => 'me');
    expect(await asking.request('who', 1)).toBe('me');
  });
});

describe('Replies in a stream', () => {
  it('come in order and end, from an async generator', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('count', async function* (upTo: number) {
      for (let number = 1; number <= upTo; number++) yield number;
    });
    const { seen, ended } = replies(asking, 'count', 5);
    await ended;
    expect(seen.items).toEqual(['1', '2', '3', '4', '5', 'end']);
  });

  it('keep their order when a large one takes longer to read than a small one', async () => {
    const { asking, answering } = await pair();
    const large = 'x'.repeat(400_000);
    await answering.subscribe('mixed', async function* () {
      yield large;
      yield 'small';
    });
    const { seen, ended } = replies(asking, 'mixed', 1);
    await ended;
    expect(seen.items.map((item) => item.length)).toEqual([400_002, 7, 3]);
  });

  it('end with the failure', async () => {
    const { asking, answering } = await pair();
    await answering.subscribe('broken', async function* () {
      yield 1;
      throw new Error('out of paper');
    });
    const { seen, ended } = replies(asking, 'broken', 1);
    await ended;
    expect(seen.items).toEqual(['1', 'RemoteError']);
  });

  it('stop at the responder when they are called off', async () => {
    const { asking, answering } = await pair();
    const stopped = gate();
    await answering.subscribe(
      'ticks',
      () =>
        new ReplyStream((sink) => {
          sink.value('tick');
          return () => stopped.open();
        }),
    );
    const { seen, callOff } = replies(asking, 'ticks', 1);
    await seen.until(1);
    callOff();
    await stopped.promise;
    expect(transportAccess(asking).pendingRequests).toBe(0);
  });

  it('come in order from each of two subscriptions of one bus, and stop at both when they are called off', async () => {
    const { asking, answering } = await pair();
    const stopped: string[] = [];
    const both = gate();
    for (const name of ['a', 'b']) {
      await answering.subscribe(
        'ticks',
        () =>
          new ReplyStream((sink) => {
            for (const number of [0, 1, 2]) sink.value(name + number);
            return () => stopped.push(name) === 2 && both.open();
          }),
        { group: name, delivery: 'at-most-once' },
      );
    }
    const { seen, callOff } = replies(asking, 'ticks', 1);
    await seen.until(6);
    for (const name of ['a', 'b']) {
      const own = seen.items.filter((text) => text.includes(name));
      expect(own).toEqual([0, 1, 2].map((number) => JSON.stringify(name + number)));
    }
    callOff();
    await both.promise;
    expect(stopped.sort()).toEqual(['a', 'b']);
  });

  it('stop for those requests alone that are called off, of many at a time', async () => {
    const { asking, answering } = await pair();
    const stopped = new Inbox<number>();
    const sinks = new Map<number, { end(): void }>();
    await answering.subscribe(
      'ticks',
      (number: number) =>
        new ReplyStream((sink) => {
          sinks.set(number, sink);
          sink.value(number);
          return () => stopped.push(number);
        }),
      { concurrency: 100 },
    );
    const all = Array.from({ length: 40 }, (_, number) => replies(asking, 'ticks', number));
    for (const { seen } of all) await seen.until(1);
    const isOdd = (number: number) => number % 2 === 1;
    for (const [number, { callOff }] of all.entries()) if (isOdd(number)) callOff();
    await stopped.until(20);
    expect(stopped.items.every(isOdd)).toBe(true);
    for (const [number, sink] of sinks) if (!isOdd(number)) sink.end();
    for (const [number, { seen, ended }] of all.entries()) {
      if (isOdd(number)) continue;
      await ended;
      expect(seen.items).toEqual([String(number), 'end']);
    }
    expect(stopped.items).toHaveLength(20);
    expect(transportAccess(asking).pendingRequests).toBe(0);
  });

  it('stop at the responder when the first was all that was wanted', async () => {
    const { asking, answering } = await pair();
    const stopped = gate();
    await answering.subscribe(
      'ticks',
      () =>
        new ReplyStream((sink) => {
          sink.value('tick');
          return () => stopped.open();
        }),
    );
    expect(await asking.request('ticks', 1)).toBe('tick');
    await stopped.promise;
  });

  it('are given as long for each as for the first', async () => {
    const { asking, answering } = await pair();
    const stopped = gate();
    const sinks = new Inbox<{ value(payload: unknown): void }>();
    await answering.subscribe(
      'ticks',
      () =>
        new ReplyStream((sink) => {
          sinks.push(sink);
          return () => stopped.open();
        }),
    );
    const startedMs = performance.now();
    const { seen, ended } = replies(asking, 'ticks', 1, { timeout: 200 });
    const [sink] = await sinks.until(1);
    const timers = [100, 250].map((ms) => setTimeout(() => sink.value(ms), ms));
    await ended;
    for (const timer of timers) clearTimeout(timer);
    expect(seen.items).toEqual(['100', '250', 'RequestTimeoutError']);
    expect(performance.now() - startedMs).toBeGreaterThan(440);
    await stopped.promise;
  });

  it('stop when the requester has gone', async () => {
    const { asking, answering } = await pair();
    const stopped = gate();
    const sinks = new Inbox<{ value(payload: unknown): void }>();
    await answering.subscribe(
      'ticks',
      () =>
        new ReplyStream((sink) => {
          sinks.push(sink);
          return () => stopped.open();
        }),
    );
    replies(asking, 'ticks', 1);
    const [sink] = await sinks.until(1);
    await asking.stop();
    sink.value('anybody?');
    await stopped.promise;
  });
});

describe('Hostile requests', () => {
  it('with a reply address that is no private inbox are refused', async () => {
    const { asking, answering } = await pair();
    const dropped = new Inbox<string>();
    answering.onStatus((status) => status.type === 'dropped' && dropped.push(status.reason));
    const stolen: unknown[] = [];
    await asking.subscribe('secrets', (payload) => stolen.push(payload));
    let handled = 0;
    await answering.subscribe('echo', (payload: unknown) => {
      handled++;
      return payload;
    });
    const id = 'a'.repeat(32);
    const timeout = '60000';
    const addresses = [
      'secrets',
      'disco:lock:x',
      '../x',
      'A'.repeat(32),
      'a'.repeat(31),
      'a'.repeat(33),
      '',
      'orders',
    ];
    for (const address of addresses) {
      await asking.publish('echo', 'x', {
        headers: { [REPLY_TO_HEADER]: address, 'x-reply-id': id, 'x-timeout': timeout },
      });
    }
    const inbox = 'b'.repeat(32);
    const bad = [
      { 'x-reply-id': 'zz', 'x-timeout': timeout },
      { 'x-reply-id': id, 'x-timeout': 'soon' },
      { 'x-reply-id': id, 'x-timeout': '9'.repeat(15) },
      { 'x-reply-id': id },
      {},
    ];
    for (const headers of bad) {
      await asking.publish('echo', 'x', {
        headers: { [REPLY_TO_HEADER]: inbox, ...headers } as Record<string, string>,
      });
    }
    await dropped.until(addresses.length + bad.length);
    expect(new Set(dropped.items)).toEqual(new Set(['refused']));
    expect(handled).toBe(0);
    expect(stolen).toEqual([]);
  });
});

describe('Stray replies', () => {
  /** A bus with one request open, its inbox, and a driver of an attacker's own on the same broker. */
  async function attacked() {
    const broker = new MemoryBroker();
    const asking = await started({ driver: memoryDriver({ broker }) });
    const answering = await started({ driver: memoryDriver({ broker }) });
    const open = gate<string>();
    const contexts = new Inbox<DiscoMessageContext>();
    await answering.subscribe('wait', (_payload, context: DiscoMessageContext) => {
      contexts.push(context);
      return open.promise;
    });
    let strays = 0;
    asking.onStatus((status) => {
      if (status.type === 'dropped' && status.reason === 'stray') strays++;
    });
    const answer = asking.request('wait', 1);
    const [{ headers }] = await contexts.until(1);
    return { asking, answering, answer, open, headers, strays: () => strays };
  }

  const forged = async (
    bus: DiscoBus,
    inbox: string,
    headers: Record<string, string>,
    payload: unknown = 'forged',
  ) => {
    const channel = (bus as unknown as { parts: { channel: any } }).parts.channel;
    const body = await channel.encode(payload);
    await new Promise<unknown>((accepted, failed) =>
      channel.send(`reply:${inbox}`, Object.assign(Object.create(null), headers), body, {
        accepted,
        failed,
      }),
    );
  };

  it('of a guessed id, a wrong kind or a wrong number are dropped and counted', async () => {
    const { asking, answering, answer, open, headers, strays } = await attacked();
    const id = headers['x-reply-id'];
    const responder = 'c'.repeat(32);
    const last = { 'x-reply': 'last', 'x-reply-seq': '0', 'x-responder': responder };
    const all = [
      { ...last, 'x-reply-id': 'd'.repeat(32) },
      { ...last, 'x-reply-id': id.slice(1) },
      { ...last, 'x-reply-id': id, 'x-reply': 'everything' },
      { ...last, 'x-reply-id': id, 'x-reply-seq': '-1' },
      { ...last, 'x-reply-id': id, 'x-responder': 'me' },
      {},
    ];
    for (const each of all) await forged(answering, headers[REPLY_TO_HEADER], each as Record<string, string>);
    open.open('real');
    expect(await answer).toBe('real');
    expect(strays()).toBe(all.length);
    expect(transportAccess(asking).pendingRequests).toBe(0);
  });

  it('that say of two responders that they are closing count as two', async () => {
    const broker = new MemoryBroker();
    const bus = () => started({ driver: memoryDriver({ broker }) });
    const [asking, ...answering] = [await bus(), await bus(), await bus()];
    const contexts = new Inbox<DiscoMessageContext>();
    const never = (_payload: unknown, context: DiscoMessageContext) => {
      contexts.push(context);
      return gate().promise;
    };
    for (const each of answering) await each.subscribe('closing', never);
    const answer = rejection(asking.request('closing', 1, { timeout: '60s' }));
    const [{ headers, message }] = await contexts.until(2);
    const gone = { 'x-reply-id': headers['x-reply-id'] ?? message.id, 'x-reply': 'gone' };
    for (const each of answering) await forged(each, headers[REPLY_TO_HEADER], gone);
    expect(await answer).toMatchObject({ code: 'DISCO_NO_RESPONDERS' });
  });

  it('100000 late, unknown or double ones leave nothing behind', async () => {
    const { asking, answering, answer, open, headers, strays } = await attacked();
    open.open('real');
    await answer;
    const late = {
      'x-reply-id': headers['x-reply-id'],
      'x-reply': 'last',
      'x-reply-seq': '0',
      'x-responder': 'c'.repeat(32),
    };
    const send = async (count: number) => {
      for (let round = 0; round < count / 1000; round++) {
        await Promise.all(
          Array.from({ length: 1000 }, () => forged(answering, headers[REPLY_TO_HEADER], late)),
        );
      }
    };
    await send(5000);
    global.gc?.();
    const before = process.memoryUsage().heapUsed;
    await send(100_000);
    await asking.request('wait', 2);
    expect(strays()).toBe(105_000);
    expect(transportAccess(asking).pendingRequests).toBe(0);
    if (global.gc) {
      global.gc();
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(5 * 1024 * 1024);
    }
  }, 60_000);
});
