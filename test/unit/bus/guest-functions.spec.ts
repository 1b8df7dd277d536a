import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { ReplyStream } from '../../../lib/bus/requests/reply-stream.js';
import { transportAccess } from '../../../lib/bus/transport-access.js';
import type { Codec } from '../../../lib/codec/codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import { defineTopic } from '../../../lib/contract/define.js';
import { MemoryBroker, memoryDriver } from '../../../lib/drivers/memory/index.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { until } from '../../support/waiting.js';
import { buses, gate, Inbox, KeepingLogger } from './support.js';

const { started, make } = buses();

const throws = (): never => {
  throw new Error('a guest that throws');
};
const rejects = async (): Promise<any> => throws();
/** Each guest is told once, and so each test has one of its own. */
const thrower = () => () => throws();
/** Nobody waits for what it returns. */
const rejecter = (): (() => any) => rejects.bind(undefined);

let warnings: string[];
let emit: jest.SpyInstance;
beforeEach(() => {
  warnings = [];
  emit = jest.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)));
});
afterEach(() => emit.mockRestore());

/** What a call rejects with, or a failure of the test. */
const refusal = (call: () => Promise<unknown>): Promise<any> =>
  call().then(
    (value) => Promise.reject(new Error(`it resolved with ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );

const durable = { delivery: 'at-least-once' } as const;
const twice = { attempts: 2, backoff: { type: 'fixed', delay: 1 } } as const;

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('A listener of context.signal', () => {
  const listeners: [string, (signal: AbortSignal, told: () => void) => void][] = [
    [
      'throws',
      (signal, told) => {
        signal.addEventListener('abort', thrower());
        signal.addEventListener('abort', told, { once: true });
      },
    ],
    [
      'rejects',
      (signal, told) => {
        signal.addEventListener('abort', rejecter());
        signal.addEventListener('abort', told);
      },
    ],
    [
      'is an object that throws',
      (signal, told) => {
        signal.addEventListener('abort', { handleEvent: thrower() });
        signal.addEventListener('abort', { handleEvent: told });
      },
    ],
    [
      'throws as onabort',
      (signal, told) => {
        signal.onabort = thrower();
        signal.addEventListener('abort', told);
      },
    ],
  ];
  const ways = [
    ['each attempt', {}],
    ['attempts in place', { orderBy: 'key' }],
  ] as const;

  describe.each(ways)('of %s', (_name, how) => {
    it.each(listeners)('that %s: the message is settled as its policy says', async (_, listen) => {
      const bus = await started();
      const told = new Inbox<string>();
      const handled = new Inbox<unknown>();
      const handler = (payload: string, { signal }: DiscoMessageContext) => {
        if (payload === 'good') return handled.push(payload);
        listen(signal, () => told.push('told'));
        return untilAborted(signal);
      };
      await bus.subscribe('t', handler, { ...durable, ...how, timeout: 30, retry: twice });
      await bus.publish('t', 'slow', durable);
      await bus.publish('t', 'good', durable);
      await told.until(2);
      await handled.until(1);
      await bus.drain();
      expect(told.items).toHaveLength(2);
      expect(await bus.deadLetters('t').peek()).toMatchObject([{ reason: 'attempts', attempts: 2 }]);
      expect(warnings).toHaveLength(2);
      expect(warnings[0]).toMatch(/^A listener of a signal threw, which changes nothing: .*a guest that/);
    });
  });

  it('may be removed again, is added once, and what is no listener is refused as Node does', async () => {
    const bus = await started();
    const called: string[] = [];
    const aborted = gate();
    const handler = (_: unknown, { signal }: DiscoMessageContext) => {
      const removed = () => called.push('removed');
      const once = () => called.push('once');
      signal.addEventListener('abort', removed);
      signal.removeEventListener('abort', removed);
      for (let n = 0; n < 2; n++) signal.addEventListener('abort', once);
      expect(() => signal.addEventListener('abort', 'text' as never)).toThrow('must be an instance of');
      signal.addEventListener('abort', () => aborted.open());
      return untilAborted(signal);
    };
    await bus.subscribe('t', handler, { timeout: 20 });
    await bus.publish('t', 1);
    await aborted.promise;
    expect(called).toEqual(['once']);
  });

  it('of a batch: its messages are settled', async () => {
    const bus = await started();
    const told = new Inbox<number>();
    const handler = (_: unknown, { signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', thrower());
      signal.addEventListener('abort', () => told.push(1));
      return untilAborted(signal);
    };
    await bus.subscribe('t', handler, { ...durable, batch: { size: 2 }, timeout: 30, retry: false });
    await Promise.all([1, 2].map((n) => bus.publish('t', n, durable)));
    await told.until(1);
    await bus.drain();
    expect(await bus.deadLetters('t').count()).toBe(2);
  });
});

describe('What onDrain was given', () => {
  it.each([
    ['throws', throws, /given failed: .*a guest that throws/],
    ['rejects', rejects, /given failed: .*a guest that throws/],
    ['is no function', 7, /given failed: TypeError/],
  ])('%s: it is told, and the others are waited for', async (_, farewell, line) => {
    const logger = new KeepingLogger();
    const bus = make({ logger });
    await bus.start();
    const other = gate();
    bus.onDrain(farewell as never);
    bus.onDrain(() => other.promise);
    const stopping = bus.stop();
    other.open();
    await stopping;
    expect(bus.state).toBe('closed');
    expect(logger.lines.filter((text) => line.test(text))).toHaveLength(1);
  });
});

describe('An observer of replies', () => {
  it('that throws while its request is refused at once: it is told, and nothing ends', async () => {
    const bus = await started({ maxPendingRequests: 1 });
    await bus.subscribe('t', () => new Promise(() => {}));
    const observer = { next: throws, complete: throws, error: throws };
    const callOff = bus.requestStream('t', 1, {}, observer);
    bus.requestStream('t', 2, {}, observer);
    const error = await refusal(() => bus.request('t', 3));
    expect(error).toMatchObject({ code: 'DISCO_BACKPRESSURE' });
    expect(warnings).toEqual([expect.stringMatching(/^An observer of replies threw/)]);
    callOff();
  });
});

/** What a handler of requests may return that is at fault, and what its requester is told. */
const answers: [string, () => unknown][] = [
  ['an iterable that throws when it is begun', () => ({ [Symbol.asyncIterator]: throws })],
  ['an iterable that has no iterator', () => ({ [Symbol.asyncIterator]: () => undefined })],
  ['an iterator that throws', () => ({ [Symbol.asyncIterator]: () => ({ next: throws }) })],
  ['a stream of replies that throws when it is started', () => new ReplyStream(throws)],
  ['a thenable that throws', () => Object.defineProperty({}, 'then', { value: throws })],
  [
    'an object that throws when it is looked at',
    () => new Proxy({}, { get: throws, getPrototypeOf: throws }),
  ],
];

describe('A handler of requests that returns', () => {
  describe.each([
    ['at once', (value: unknown) => value],
    ['later', async (value: unknown) => value],
  ])('%s', (_name, giving) => {
    it.each(answers)('%s: its requester is told, and the next request is answered', async (_, value) => {
      const bus = await started();
      await bus.subscribe('t', (payload: string) => (payload === 'bad' ? giving(value()) : 'fine'));
      const error = await refusal(() => bus.request('t', 'bad', { timeout: '20s' }));
      expect(error).toMatchObject({ code: 'DISCO_REMOTE' });
      expect(await bus.request('t', 'good')).toBe('fine');
      expect(transportAccess(bus).pendingRequests).toBe(0);
    });
  });

  it('a stream that throws when it is stopped: the next request is answered', async () => {
    const bus = await started();
    const stopped = new Inbox<string>();
    const streams: Record<string, unknown> = {
      iterator: {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ value: 1, done: false }),
          return: () => {
            stopped.push('iterator');
            throws();
          },
        }),
      },
      stream: new ReplyStream((sink) => {
        sink.value(1);
        return () => {
          stopped.push('stream');
          throws();
        };
      }),
    };
    await bus.subscribe('t', (name: string) => streams[name] ?? 'fine');
    for (const name of Object.keys(streams)) {
      expect(await bus.request('t', name)).toBe(1);
      await stopped.until(stopped.items.length + 1 - Number(stopped.items.includes(name)));
    }
    expect(stopped.items).toEqual(['iterator', 'stream']);
    expect(await bus.request('t', 'another')).toBe('fine');
    expect(warnings).toHaveLength(2);
  });
});

/** Errors of a caller's own that nobody can look at. */
const unreadable: [string, () => unknown][] = [
  ['whose name throws', () => Object.defineProperty(new Error('x'), 'name', { get: throws })],
  ['whose message throws', () => Object.defineProperty(new Error('x'), 'message', { get: throws })],
  ['whose stack throws', () => Object.defineProperty(new Error('x'), 'stack', { get: throws })],
  ['whose code throws', () => Object.defineProperty(new Error('x'), 'code', { get: throws })],
  ['whose name is a symbol', () => Object.assign(new Error('x'), { name: Symbol('x') })],
  [
    'that is a proxy which throws',
    () => new Proxy(new Error('x'), { get: throws, has: throws, getPrototypeOf: throws }),
  ],
];

describe('A handler that throws an error', () => {
  it.each(unreadable)('%s: the message is tried again and then a dead letter, and told', async (_, error) => {
    const logger = new KeepingLogger();
    const bus = await started({ logger });
    const seen = new Inbox<unknown>();
    const handler = (payload: string) => {
      seen.push(payload);
      if (payload === 'bad') throw error();
    };
    await bus.subscribe('t', handler, { ...durable, retry: twice });
    await bus.publish('t', 'bad', durable);
    await bus.publish('t', 'good', durable);
    await seen.until(3);
    await bus.drain();
    expect(await bus.deadLetters('t').peek()).toMatchObject([{ reason: 'attempts', attempts: 2 }]);
    expect(logger.lines.filter((line) => line.includes('failed on message'))).toHaveLength(2);
  });

  it.each(unreadable)('%s: who asked is told', async (_, error) => {
    const bus = await started();
    await bus.subscribe('t', async () => {
      throw error();
    });
    expect(await refusal(() => bus.request('t', 1, { timeout: '20s' }))).toMatchObject({
      code: 'DISCO_REMOTE',
    });
  });
});

describe('A middleware', () => {
  const wrong: [string, () => unknown, RegExp][] = [
    ['throws when it is given its handler', throws, /^The middleware "throws" threw/],
    ['makes nothing', () => undefined, /^A middleware made no handler, but a value of type undefined/],
    ['makes a promise', async () => () => {}, /made no handler, but a value of type object/],
  ];
  it.each(wrong)('that %s: the subscribing is refused, and others go on', async (_, middleware, message) => {
    const bus = await started();
    const wrapped = [middleware].map((each) => each as never);
    const error = await refusal(() => bus.subscribe('t', () => {}, { middleware: wrapped }));
    expect(error).toMatchObject({ code: 'DISCO_CONFIGURATION', message: expect.stringMatching(message) });
    await bus.subscribe('t', () => 'fine');
    expect(await bus.request('t', 1)).toBe('fine');
  });
});

describe('A schema', () => {
  const schemas: [string, (value: unknown) => unknown][] = [
    ['throws', throws],
    ['rejects', rejects],
    ['gives nothing', () => undefined],
    ['gives issues that are none', () => ({ issues: 7 })],
  ];
  it.each(schemas)(
    'that %s: the message is a dead letter at once, of a subscription as of a definition',
    async (_, validate) => {
      const bus = await started({ validation: { publish: false } });
      const schema = { '~standard': { version: 1, vendor: 'test', validate } } as never;
      let handled = 0;
      await bus.subscribe('t', () => void handled++, { ...durable, schema, retry: twice });
      await bus.subscribe(defineTopic('defined', { ...durable, schema, retry: twice }), () => void handled++);
      for (const topic of ['t', 'defined']) {
        await bus.publish(topic, 1, durable);
        const letters = () => bus.deadLetters(topic).peek();
        while ((await letters()).length === 0) await new Promise((resolve) => setImmediate(resolve));
        const [letter] = await letters();
        expect(letter).toMatchObject({
          reason: 'unrecoverable',
          attempts: 1,
          error: { name: 'PayloadInvalidError', message: expect.stringContaining('is not valid: ') },
        });
      }
      expect(handled).toBe(0);
    },
  );
});

describe('A filter of replayAll', () => {
  const filters: [string, () => unknown, RegExp][] = [
    ['throws', throws, /^replayAll: the filter threw at the letter \d+-\d+$/],
    ['is asynchronous', async () => false, /must return true or false at once, not a value of type object/],
    ['gives nothing', () => undefined, /not a value of type undefined/],
  ];
  it.each(filters)('that %s: the caller is told, and the letters stay', async (_, filter, message) => {
    const bus = await started();
    const failed = new Inbox<number>();
    const handler = (n: number) => {
      failed.push(n);
      throws();
    };
    await bus.subscribe('t', handler, { ...durable, retry: false });
    for (const n of [1, 2]) await bus.publish('t', n, durable);
    await failed.until(2);
    const letters = bus.deadLetters('t');
    while ((await letters.count()) < 2) await new Promise((resolve) => setImmediate(resolve));
    const error = await refusal(() => letters.replayAll({ filter: filter as never }));
    expect(error).toMatchObject({ code: 'DISCO_CONFIGURATION', message: expect.stringMatching(message) });
    expect(await letters.count()).toBe(2);
    expect(failed.items).toHaveLength(2);
  });
});

const json = new JsonCodec();
const codecs: [string, Partial<Codec>][] = [
  ['throws', { encode: throws }],
  ['rejects', { encode: rejects }],
  ['gives nothing', { encode: () => undefined as never }],
  ['gives a body of no bytes', { encode: () => ({ data: 7, codec: 0, compression: 0 }) as never }],
  ['gives a number of no codec', { encode: () => ({ data: '1', codec: 9, compression: 0 }) }],
  ['gives a promise of nothing', { encode: async () => undefined as never }],
];

describe.each([{}, { compression: false as const }])('A codec of the caller, %j, that', (options) => {
  const own = (codec: Partial<Codec>, broker: MemoryBroker) =>
    started({
      ...options,
      driver: memoryDriver({ broker }),
      codec: { name: 'own', encode: (p) => json.encode(p), decode: (b) => json.decode(b), ...codec } as Codec,
    });

  it.each(codecs)('%s: publish and both ways to ask reject with CodecError', async (_, codec) => {
    const bus = await own(codec, new MemoryBroker());
    await bus.subscribe('t', () => 1);
    const direct = () =>
      new Promise((complete, error) => {
        transportAccess(bus).request(
          't',
          1,
          { timeoutMs: 20_000 },
          { next() {}, complete: () => complete(1), error },
        );
      });
    for (const call of [() => bus.publish('t', 1), () => bus.request('t', 1), direct]) {
      expect(await refusal(call)).toMatchObject({ code: 'DISCO_CODEC' });
    }
    expect(transportAccess(bus).pendingRequests).toBe(0);
    // Bytes go past it.
    await bus.publish('t', Buffer.from('x'));
  });

  it.each(codecs)('%s while a reply is written: it is told, and nothing ends', async (_, codec) => {
    const broker = new MemoryBroker();
    const logger = new KeepingLogger();
    const answering = await started({
      ...options,
      logger,
      driver: memoryDriver({ broker }),
      codec: { name: 'own', decode: (b) => json.decode(b), ...codec } as Codec,
    });
    const asking = await started({ driver: memoryDriver({ broker }) });
    await answering.subscribe('t', (n: number) => (n === 1 ? 'text' : Buffer.from('bytes')));
    expect(await refusal(() => asking.request('t', 1, { timeout: 50 }))).toMatchObject({
      code: 'DISCO_REQUEST_TIMEOUT',
    });
    expect(await asking.request('t', 2)).toEqual(Buffer.from('bytes'));
    expect(logger.lines).toEqual(
      expect.arrayContaining([expect.stringMatching(/"t": a reply could not be sent: CodecError/)]),
    );
  });

  it.each([
    ['throws', throws],
    ['rejects', rejects],
  ])('%s while it reads: the message is undecodable, and what follows is handled', async (_, decode) => {
    const bus = await own(
      { decode: (body) => (String(body.data).includes('bad') ? decode() : json.decode(body)) },
      new MemoryBroker(),
    );
    const handled = new Inbox<unknown>();
    await bus.subscribe('t', handled.push, durable);
    for (const payload of ['bad', 'good']) await bus.publish('t', payload, durable);
    expect(await handled.until(1)).toEqual(['good']);
    await bus.drain();
    expect(await bus.deadLetters('t').peek()).toMatchObject([{ reason: 'undecodable' }]);
  });
});

describe('A signal of the caller', () => {
  it.each([{ aborted: false }, { aborted: false, addEventListener: 7, removeEventListener: 7 }])(
    'that is none, %j: publish and request are refused',
    async (signal) => {
      const bus = await started();
      const code = 'DISCO_CONFIGURATION';
      expect(await refusal(() => bus.publish('t', 1, { signal: signal as never }))).toMatchObject({ code });
      expect(await refusal(() => bus.request('t', 1, { signal: signal as never }))).toMatchObject({ code });
    },
  );
});

describe('A status listener of a broker', () => {
  it.each([thrower(), rejecter()])('that fails (%#): messages go on, and it is told', async (listener) => {
    const broker = new MemoryBroker({ unread: { maxLength: 1 }, maxDeadLetters: 1 });
    broker.onStatus(listener);
    const bus = new DiscoBus({ driver: memoryDriver({ broker }), service: 's', logger: new KeepingLogger() });
    await bus.start();
    for (const n of [1, 2, 3]) await bus.publish('unread', n, { ...durable, id: `m${n}` });
    const handled = new Inbox<number>();
    const fails = (n: number) => {
      handled.push(n);
      throw new Error('no');
    };
    await bus.subscribe('t', fails, { retry: false });
    for (const n of [1, 2, 3]) await bus.publish('t', n);
    await until('all are handled', () => handled.items.length === 3);
    await bus.drain();
    expect(await bus.deadLetters('t').count()).toBe(1);
    await bus.stop();
    await until('it is told', () => warnings.length > 0);
    expect(warnings).toEqual([expect.stringMatching(/^A status listener threw/)]);
  });
});
