import { Controller, Injectable, Module, Scope, SetMetadata } from '@nestjs/common';
import { ModuleRef, Reflector } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Cron } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import {
  ConfigurationError,
  currentLock,
  DiscoBusModule,
  DiscoBusService,
  DiscoPayload,
  DiscoSubscribe,
  InjectDiscoBus,
  type Lock,
  LockNotAcquiredError,
  WithLock,
  type WithLockOptions,
} from 'nestjs-disco-bus';
import { DiscoBusServer } from 'nestjs-disco-bus/transport';
import { Observable } from 'rxjs';
import { Collector } from '../support/collector.js';
import { pause } from '../support/waiting.js';
import { closeApps, gate, startApp, startContext } from './support.js';

let got: Collector<unknown>;
beforeEach(() => {
  got = new Collector();
});
afterEach(closeApps);

const memory = (url = 'memory:', options: object = {}) => DiscoBusModule.forRoot({ url, ...options });

/** A provider of which one method is locked: it tells the keys that it holds. */
function locked(key: Parameters<typeof WithLock>[0], options?: WithLockOptions) {
  @Injectable()
  class Locked {
    @WithLock(key, options)
    async run(..._args: unknown[]): Promise<readonly string[] | undefined> {
      return currentLock()?.keys;
    }
  }
  return Locked;
}

async function keysOf(key: Parameters<typeof WithLock>[0], ...args: unknown[]) {
  const Locked = locked(key);
  const app = await startApp({ imports: [memory()], providers: [Locked] });
  return app.get(Locked).run(...args);
}

describe('the key', () => {
  class Customer {
    constructor(private readonly number: number) {}
    get id() {
      return `c${this.number}`;
    }
  }
  it.each<[string, Parameters<typeof WithLock>[0], unknown[], string[]]>([
    ['is a text', 'report', [], ['report']],
    ['names an argument', 'order:{0}', [7], ['order:7']],
    ['names a property', 'order:{0.id}', [{ id: 'x' }], ['order:x']],
    [
      'names several, deep and by getters',
      '{1.customer.id}-{0}',
      [true, { customer: new Customer(4) }],
      ['c4-true'],
    ],
    ['names a bigint and an element', '{0}:{1.0}', [5n, ['a']], ['5:a']],
    ['has braces of its own', '{{order:{0.id}}}:stock', [{ id: 1 }], ['{order:1}:stock']],
    ['is made by a function', (id: number, kind: string) => `${kind}:${id}`, [3, 'order'], ['order:3']],
    ['is several keys', ['{{o}}:b', '{{o}}:{0}'], ['a'], ['{o}:a', '{o}:b']],
    ['is several keys made by a function', (...ids: string[]) => ids, ['b', 'a', 'b'], ['a', 'b']],
  ])('%s', async (_name, key, args, keys) => {
    expect(await keysOf(key, ...args)).toEqual(keys);
  });

  it.each([
    '',
    'order:{',
    'order:}',
    'order:{}',
    'order:{id}',
    'order:{0.}',
    'order:{.id}',
    'order:{-1}',
    'a{0}}',
    'order:{ 0 }',
  ])('of the template %j is refused where it is written', (template) => {
    expect(() => WithLock(template)).toThrow(ConfigurationError);
    expect(() => WithLock(['fine', template])).toThrow(ConfigurationError);
  });

  it.each<[string, unknown[]]>([
    ['order:{0}', []],
    ['order:{1}', ['only one']],
    ['order:{0}', [undefined]],
    ['order:{0}', [null]],
    ['order:{0}', ['']],
    ['order:{0}', [Number.NaN]],
    ['order:{0}', [{ id: 1 }]],
    ['order:{0.id}', [{}]],
    ['order:{0.id.x}', [{ id: null }]],
    ['order:{0.id}', [null]],
    ['order:{0.toString}', ['text']],
  ])('%j with the arguments %j is refused when called, and nothing is locked', async (template, args) => {
    const Locked = locked(template);
    const app = await startApp({ imports: [memory()], providers: [Locked] });
    const acquire = jest.spyOn(app.get(DiscoBusService).locks, 'acquire');
    const failed = app.get(Locked).run(...args);
    await expect(failed).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    await expect(failed).rejects.toThrow(/of "order:\{/);
    expect(acquire).not.toHaveBeenCalled();
  });

  it('made by a function that throws is refused with what it threw, and nothing is locked', async () => {
    const thrown = new Error('no such order');
    const failed = keysOf(() => {
      throw thrown;
    });
    await expect(failed).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION', cause: thrown });
  });

  it.each([[() => ''], [() => [] as string[]], [() => undefined as never], [(async () => 'a') as never]])(
    'made by a function is refused when it is none: %s',
    async (key) => {
      await expect(keysOf(key)).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
    },
  );
});

describe('options', () => {
  it.each<[object]>([
    [{ ttl: 99 }],
    [{ ttl: 'soon' }],
    [{ wait: -1 }],
    [{ minHold: 'x' }],
    [{ onBusy: 'ignore' }],
    [{ bus: '' }],
    [{ minReplicas: -1 }],
  ])('%j are refused where they are written', (options) => {
    expect(() => WithLock('report', options as WithLockOptions)).toThrow(ConfigurationError);
  });

  it('refuses what is no method of an instance', () => {
    class Wrong {
      static run() {}
      get value() {
        return 1;
      }
    }
    const of = (target: object, name: string) =>
      WithLock('report')(target, name, Object.getOwnPropertyDescriptor(target, name)!);
    expect(() => of(Wrong, 'run')).toThrow(ConfigurationError);
    expect(() => of(Wrong.prototype, 'value')).toThrow(ConfigurationError);
  });
});

describe('a busy lock', () => {
  async function busy(options: WithLockOptions) {
    const Locked = locked('report', options);
    const app = await startApp({ imports: [memory()], providers: [Locked] });
    const lock = await app.get(DiscoBusService).locks.acquire('report');
    return { lock, run: () => app.get(Locked).run() };
  }

  it('is waited for', async () => {
    const { lock, run } = await busy({});
    const waiting = run();
    await lock.release();
    expect(await waiting).toEqual(['report']);
  });

  it('is waited for as long as told', async () => {
    const { run } = await busy({ wait: 30 });
    const failed = run();
    await expect(failed).rejects.toBeInstanceOf(LockNotAcquiredError);
    await expect(failed).rejects.toMatchObject({ keys: ['report'] });
  });

  it('is skipped', async () => {
    const { lock, run } = await busy({ onBusy: 'skip' });
    expect(await run()).toBeUndefined();
    await lock.release();
    expect(await run()).toEqual(['report']);
  });

  it('is an error at once', async () => {
    const { run } = await busy({ onBusy: 'throw' });
    const startedMs = performance.now();
    await expect(run()).rejects.toMatchObject({ code: 'DISCO_LOCK_NOT_ACQUIRED', retryable: true });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('is waited for before it is skipped, if told so', async () => {
    const { lock, run } = await busy({ onBusy: 'skip', wait: '10s' });
    const waiting = run();
    await lock.release();
    expect(await waiting).toEqual(['report']);
  });

  it('stays taken for minHold, so that what is quickly done is done once', async () => {
    @Injectable()
    class Tick {
      @WithLock('tick', { onBusy: 'skip', minHold: '1m' })
      async run() {
        got.add('ran');
      }
    }
    const metadata = () => ({ imports: [memory('memory:min-hold')], providers: [Tick] });
    const apps = [await startApp(metadata()), await startApp(metadata())];
    for (const app of [...apps, ...apps]) await app.get(Tick).run();
    expect(got.values).toEqual(['ran']);
  });
});

describe('the work', () => {
  it('is alone, and its result, this and arguments are its own', async () => {
    let inside = 0;
    let most = 0;
    @Injectable()
    class Counter {
      private readonly factor = 2;

      @WithLock('count')
      async double(value: number) {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        return value * this.factor;
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Counter] });
    const results = await Promise.all([1, 2, 3, 4, 5].map((value) => app.get(Counter).double(value)));
    expect(results).toEqual([2, 4, 6, 8, 10]);
    expect(most).toBe(1);
  });

  it('has its error thrown as it is, and the lock released', async () => {
    const error = new Error('failed');
    @Injectable()
    class Failing {
      @WithLock('report')
      run(): Promise<void> {
        throw error;
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Failing] });
    await expect(app.get(Failing).run()).rejects.toBe(error);
    expect(await app.get(DiscoBusService).locks.tryAcquire('report')).not.toBeNull();
  });

  it('sees its lock, the innermost of several, and none outside', async () => {
    @Injectable()
    class Nested {
      @WithLock('outer')
      async outer() {
        const before = currentLock()?.keys;
        const within = await this.inner();
        return [before, within, currentLock()?.keys];
      }

      @WithLock('inner')
      async inner() {
        return currentLock()?.keys;
      }

      @WithLock('second')
      @WithLock('first')
      async twice() {
        return currentLock()?.keys;
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Nested] });
    expect(currentLock()).toBeUndefined();
    expect(await app.get(Nested).outer()).toEqual([['outer'], ['inner'], ['outer']]);
    expect(await app.get(Nested).twice()).toEqual(['first']);
    expect(currentLock()).toBeUndefined();
  });

  it('is told when the lock is lost, and a success then counts as LockLostError', async () => {
    @Injectable()
    class Slow {
      @WithLock('report', { ttl: 100, autoExtend: false })
      async run() {
        const { signal } = currentLock()!;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return 'done';
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Slow] });
    await expect(app.get(Slow).run()).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });

  it('is extended while it takes longer than its ttl', async () => {
    @Injectable()
    class Long {
      @WithLock('report', { ttl: 500 })
      async run() {
        await pause(1_200);
        return currentLock()?.isValid();
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Long] });
    expect(await app.get(Long).run()).toBe(true);
  });

  it('of an Observable holds the lock until it ends, fails or is left', async () => {
    let end = (_error?: Error) => {};
    const seen: (Lock | undefined)[] = [];
    @Injectable()
    class Streaming {
      @WithLock('stream', { ttl: 200, onBusy: 'throw' })
      run(): Observable<number> {
        return new Observable<number>((subscriber) => {
          seen.push(currentLock());
          subscriber.next(1);
          end = (error) => (error ? subscriber.error(error) : subscriber.complete());
        });
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Streaming] });
    const { locks } = app.get(DiscoBusService);
    const start = async () => (await Promise.resolve(app.get(Streaming).run())) as Observable<number>;
    const outcomeOf = (stream: Observable<number>) =>
      new Promise((resolve) =>
        stream.subscribe({ error: resolve, complete: () => resolve('complete'), next: got.add }),
      );
    const stream = await start();
    const completed = outcomeOf(stream);
    expect(await locks.tryAcquire('stream')).toBeNull();
    expect(seen[0]?.keys).toEqual(['stream']);
    end();
    expect(await completed).toBe('complete');
    expect(got.values).toEqual([1]);
    await (await locks.acquire('stream', { wait: 0 })).release();
    expect(await outcomeOf(stream)).toMatchObject({ code: 'DISCO_LOCK_LOST' });

    const failed = outcomeOf(await start());
    end(new Error('failed'));
    expect(await failed).toMatchObject({ message: 'failed' });
    await (await locks.acquire('stream')).release();

    (await start()).subscribe().unsubscribe();
    await (await locks.acquire('stream')).release();

    await start(); // nobody subscribes
    expect(await locks.tryAcquire('stream')).toBeNull();
    await (await locks.acquire('stream', { wait: '5s' })).release();
  });
});

describe('the class', () => {
  it.each([
    ['of one instance', Scope.DEFAULT],
    ['of one instance per consumer', Scope.TRANSIENT],
    ['of one instance per request', Scope.REQUEST],
  ])('may be %s', async (_name, scope) => {
    @Injectable({ scope })
    class Scoped {
      @WithLock('scoped', { onBusy: 'throw' })
      async run() {
        return currentLock()?.keys;
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Scoped] });
    const instance = await app.get(ModuleRef).resolve(Scoped, undefined, { strict: false });
    expect(await instance.run()).toEqual(['scoped']);
    const lock = await app.get(DiscoBusService).locks.acquire('scoped');
    await expect(instance.run()).rejects.toBeInstanceOf(LockNotAcquiredError);
    await lock.release();
  });

  it('may be a controller, extend one, or be made by a factory or by hand', async () => {
    class Base {
      @WithLock('base:{0}', { onBusy: 'throw' })
      async run(_id: number) {
        return currentLock()?.keys;
      }
    }
    @Injectable()
    class Extending extends Base {
      @InjectDiscoBus() readonly bus!: DiscoBusService;

      @WithLock('own')
      async own() {
        return currentLock()?.keys;
      }
    }
    @Controller()
    class Controlling extends Base {}
    const byHand = new Base();
    const app = await startApp({
      imports: [memory()],
      controllers: [Controlling],
      providers: [
        Extending,
        { provide: 'factory', useFactory: () => new Base() },
        { provide: 'value', useValue: byHand },
        { provide: 'alias', useExisting: 'value' },
      ],
    });
    for (const token of [Extending, Controlling, 'factory', 'value']) {
      expect(await app.get<Base>(token).run(1)).toEqual(['base:1']);
    }
    expect(await app.get(Extending).own()).toEqual(['own']);
    expect(app.get(Extending).bus).toBe(app.get(DiscoBusService));
    expect(JSON.stringify(byHand)).toBe('{}');
  });

  it('may lie in a module that knows nothing of the bus, and choose one by name', async () => {
    @Injectable()
    class Deep {
      @WithLock('report', { bus: 'other' })
      async run() {
        return 'ran';
      }

      @WithLock('report', { bus: 'missing' })
      async missing() {}
    }
    @Module({ providers: [Deep] })
    class DeepModule {}
    const app = await startApp({
      imports: [memory(), memory('memory:', { name: 'other', isGlobal: false }), DeepModule],
    });
    const acquire = jest.spyOn(app.get<DiscoBusService>('DISCO_BUS:other').locks, 'acquire');
    expect(await app.get(Deep).run()).toBe('ran');
    expect(acquire).toHaveBeenCalledTimes(1);
    await expect(app.get(Deep).missing()).rejects.toThrow(/bus "missing"/);
  });

  it('in two applications of one process locks on each one’s own bus', async () => {
    const Locked = locked('report', { onBusy: 'throw' });
    const first = await startApp({ imports: [memory()], providers: [Locked] });
    const second = await startApp({ imports: [memory()], providers: [Locked] });
    await first.get(DiscoBusService).locks.acquire('report');
    await expect(first.get(Locked).run()).rejects.toBeInstanceOf(LockNotAcquiredError);
    expect(await second.get(Locked).run()).toEqual(['report']);
    await second.close();
    await expect(second.get(Locked).run()).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
    await expect(first.get(Locked).run()).rejects.toBeInstanceOf(LockNotAcquiredError);
  });

  it('without the module, or without Nest, or before the start, refuses to run', async () => {
    let ran = 0;
    @Injectable()
    class Locked {
      @WithLock('report')
      async run() {
        ran++;
      }
    }
    const refused = { code: 'DISCO_CONFIGURATION' };
    const app = await startContext({ providers: [Locked] });
    await expect(app.get(Locked).run()).rejects.toMatchObject(refused);
    await expect(new Locked().run()).rejects.toMatchObject(refused);
    const { run } = new Locked();
    await expect(run()).rejects.toMatchObject(refused);
    const { Test } = await import('@nestjs/testing');
    const unstarted = await Test.createTestingModule({ imports: [memory()], providers: [Locked] }).compile();
    await expect(unstarted.get(Locked).run()).rejects.toMatchObject(refused);
    await expect(unstarted.get(Locked).run()).rejects.toThrow(/not started/);
    await unstarted.close();
    expect(ran).toBe(0);
  });
});

describe('with other decorators', () => {
  const Marked = (value: string) => SetMetadata('marked', value);
  const metadataOf = (method: Function) => ({
    marked: new Reflector().get('marked', method),
    pattern: Reflect.getMetadata('microservices:pattern', method),
    cron: Reflect.getMetadata('SCHEDULE_CRON_OPTIONS', method)?.cronTime,
  });

  class Above {
    @WithLock('x')
    @Marked('yes')
    @MessagePattern('sum')
    @Cron('0 0 1 1 *')
    async sum(_a: number, _b: number) {}
  }
  class Below {
    @Marked('yes')
    @MessagePattern('sum')
    @Cron('0 0 1 1 *')
    @WithLock('x')
    async sum(_a: number, _b: number) {}
  }
  class Plain {
    @Marked('yes')
    @MessagePattern('sum')
    @Cron('0 0 1 1 *')
    async sum(_a: number, _b: number) {}
  }

  it.each([
    ['above', Above],
    ['below', Below],
  ])('%s them keeps name, length and metadata', (_name, type) => {
    const { sum } = type.prototype;
    expect(sum).toHaveLength(2);
    expect(sum.name).toBe('sum');
    expect(metadataOf(sum)).toEqual(metadataOf(Plain.prototype.sum));
    expect(metadataOf(sum)).toEqual({ marked: 'yes', pattern: ['sum'], cron: '0 0 1 1 *' });
    expect(Reflect.getMetadata('design:paramtypes', type.prototype, 'sum')).toEqual([Number, Number]);
  });

  it.each(['above', 'below'])('%s @DiscoSubscribe runs the handler under the lock', async (place) => {
    @Injectable()
    class AboveHandler {
      @WithLock('order:{0}')
      @DiscoSubscribe('orders')
      async handle(@DiscoPayload('id') id: number) {
        got.add([id, currentLock()?.keys]);
      }
    }
    @Injectable()
    class BelowHandler {
      @DiscoSubscribe('orders')
      @WithLock('order:{0}')
      async handle(@DiscoPayload('id') id: number) {
        got.add([id, currentLock()?.keys]);
      }
    }
    const Handler = place === 'above' ? AboveHandler : BelowHandler;
    const app = await startApp({ imports: [memory()], providers: [Handler] });
    await app.get(DiscoBusService).publish('orders', { id: 5 });
    expect(await got.has(1)).toEqual([[5, ['order:5']]]);
  });

  it('a busy lock fails the message, which is tried again', async () => {
    @Injectable()
    class Handler {
      @WithLock('order', { onBusy: 'throw' })
      @DiscoSubscribe('orders', { retry: { attempts: 3, backoff: { delay: 20, type: 'fixed' } } })
      @EventPattern('orders')
      async handle(payload: unknown) {
        got.add(payload);
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Handler] });
    const bus = app.get(DiscoBusService);
    const lock = await bus.locks.acquire('order');
    const failed = new Promise((resolve) => {
      const { acquire } = bus.locks;
      jest.spyOn(bus.locks, 'acquire').mockImplementation((...args) => {
        const attempt = acquire.apply(bus.locks, args);
        attempt.catch(resolve);
        return attempt;
      });
    });
    await bus.publish('orders', 'again');
    expect(await failed).toBeInstanceOf(LockNotAcquiredError);
    await lock.release();
    expect(await got.has(1)).toEqual(['again']);
  });
});

describe('shutdown', () => {
  it('lets a method that holds a lock finish before anything it uses is gone', async () => {
    const begun = gate();
    const finish = gate();
    @Injectable()
    class Slow {
      @WithLock('report')
      async run() {
        begun.open();
        await finish.opened;
        got.add(`finished, lock ${currentLock()?.isValid()}`);
      }

      onModuleDestroy() {
        got.add('destroyed');
      }
    }
    const app = await startApp({ imports: [memory()], providers: [Slow] });
    const running = app.get(Slow).run();
    await begun.opened;
    const closing = app.close();
    setImmediate(finish.open);
    await Promise.all([running, closing]);
    expect(got.values).toEqual(['finished, lock true', 'destroyed']);
  });

  it('lets an attempt that skips come to its end, and ends a wait', async () => {
    @Injectable()
    class Trying {
      @WithLock('report', { onBusy: 'skip' })
      async skip() {}

      @WithLock('report')
      async wait() {}
    }
    const app = await startApp({ imports: [memory()], providers: [Trying] });
    await app.get(DiscoBusService).locks.acquire('report');
    const attempts = Promise.allSettled([app.get(Trying).skip(), app.get(Trying).wait()]);
    await app.close();
    const [skipped, waited] = await attempts;
    expect(skipped).toMatchObject({ status: 'fulfilled', value: undefined });
    expect(waited).toMatchObject({ status: 'rejected', reason: { code: 'DISCO_CLOSED' } });
  });

  it('waits no longer than shutdownTimeout, and tells the work', async () => {
    const begun = gate();
    const told = gate();
    @Injectable()
    class Endless {
      @WithLock('report')
      async run() {
        currentLock()!.signal.addEventListener('abort', told.open);
        begun.open();
        await told.opened;
      }
    }
    const bus = memory('memory:', { shutdownTimeout: 50 });
    const app = await startApp({ imports: [bus], providers: [Endless] });
    const running = app.get(Endless).run();
    await begun.opened;
    await app.close();
    await expect(running).rejects.toMatchObject({ code: 'DISCO_LOCK_LOST' });
  });
});

describe('an attempt whose time is over', () => {
  const options = { timeout: 60, retry: { attempts: 1 } };
  let ran: string[];
  beforeEach(() => {
    ran = [];
  });

  @Injectable()
  class Stock {
    @WithLock('stock')
    async take(by: string): Promise<void> {
      ran.push(by);
    }
  }

  @Injectable()
  class Subscriber {
    constructor(private readonly stock: Stock) {}

    @DiscoSubscribe('locked', options)
    @WithLock('stock')
    async locked(@DiscoPayload() _: unknown): Promise<void> {
      ran.push('locked');
    }

    @DiscoSubscribe('deep', options)
    async deep(): Promise<void> {
      await Promise.resolve();
      await this.stock.take('deep');
    }
  }

  @Controller()
  class Events {
    @EventPattern('event', options)
    @WithLock('stock')
    async event(_: unknown): Promise<void> {
      ran.push('event');
    }
  }

  it.each(['locked', 'deep', 'event'])(
    'waits for its lock no more, and does not run then: %s',
    async (topic) => {
      const module = await Test.createTestingModule({
        imports: [memory()],
        providers: [Stock, Subscriber],
        controllers: [Events],
      })
        .setLogger(false as never)
        .compile();
      const app = module.createNestApplication();
      app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
      await app.startAllMicroservices();
      await app.init();
      try {
        const bus = app.get(DiscoBusService);
        const held = await bus.locks.acquire('stock');
        await bus.publish(topic, {});
        const letters = bus.deadLetters(topic);
        while ((await letters.count()) === 0) await pause(5);
        expect((await letters.peek())[0]).toMatchObject({
          reason: 'attempts',
          error: { name: 'HandlerTimeoutError' },
        });
        await held.release();
        // Nobody has it, and nobody gets it.
        await (await bus.locks.acquire('stock', { wait: 0 })).release();
        expect(ran).toEqual([]);
      } finally {
        await app.close();
      }
    },
  );
});
