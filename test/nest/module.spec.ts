import { Inject, Injectable, Module } from '@nestjs/common';
import {
  type BusStatus,
  ConfigurationError,
  type DiscoBusFactoryOptions,
  DiscoBusModule,
  type DiscoBusModuleAsyncOptions,
  type DiscoBusOptionsFactory,
  DiscoBusService,
  getDiscoBusToken,
  InjectDiscoBus,
  isDiscoBusError,
  type Metrics,
} from 'nestjs-disco-bus';
import { memoryDriver } from 'nestjs-disco-bus/memory';
import { Collector } from '../support/collector.js';
import { freePort, RedisServer } from '../support/redis-server.js';
import { closeApps, startApp, startContext } from './support.js';

afterEach(closeApps);

const memory = DiscoBusModule.forRoot;

async function echo(bus: DiscoBusService, topic = 'echo'): Promise<unknown> {
  const received = new Collector<unknown>();
  await bus.subscribe(topic, received.add);
  await bus.publish(topic, { hello: 'world' });
  return (await received.has(1))[0];
}

describe('forRoot', () => {
  it('gives a started bus by its class', async () => {
    const app = await startApp({ imports: [memory({ url: 'memory:' })] });
    const bus = app.get(DiscoBusService);
    expect(bus.state).toBe('ready');
    expect(bus.connected).toBe(true);
    await bus.ping();
    expect(await echo(bus)).toEqual({ hello: 'world' });
    await app.close();
    expect(bus.state).toBe('closed');
    await expect(bus.publish('echo', 1)).rejects.toMatchObject({ code: 'DISCO_CLOSED' });
    await bus.stop();
  });

  it('is global unless told otherwise', async () => {
    @Injectable()
    class Deep {
      constructor(readonly bus: DiscoBusService) {}
    }
    @Module({ providers: [Deep] })
    class DeepModule {}
    const app = await startApp({ imports: [memory({ url: 'memory:' }), DeepModule] });
    expect(app.get(Deep).bus).toBe(app.get(DiscoBusService));
    const local = startApp({ imports: [memory({ url: 'memory:', isGlobal: false }), DeepModule] });
    await expect(local).rejects.toThrow(/DiscoBusService/);

    @Module({ imports: [memory({ url: 'memory:', isGlobal: false })], providers: [Deep] })
    class OwnerModule {}
    const owner = await startApp({ imports: [OwnerModule] });
    expect(owner.get(Deep).bus.state).toBe('ready');
  });

  it('keeps several buses apart', async () => {
    @Injectable()
    class Both {
      constructor(
        readonly main: DiscoBusService,
        @InjectDiscoBus('audit') readonly audit: DiscoBusService<{ trail: string }>,
      ) {}
      @InjectDiscoBus('audit') readonly property!: DiscoBusService;
    }
    const app = await startApp({
      imports: [memory({ url: 'memory:' }), memory({ name: 'audit', url: 'memory:' })],
      providers: [Both],
    });
    const { main, audit, property } = app.get(Both);
    expect(property).toBe(audit);
    // @ts-expect-error: the events of this bus say that a trail is a string
    const wrong = () => audit.publish('trail', 1);
    // @ts-expect-error: and know no other topic
    const unknown = () => audit.publish('trails', 'text');
    expect([wrong, unknown]).toHaveLength(2);
    expect(app.get(getDiscoBusToken('audit'))).toBe(audit);
    expect(getDiscoBusToken()).toBe(DiscoBusService);
    expect(getDiscoBusToken('default')).toBe(DiscoBusService);
    const received = new Collector<unknown>();
    await main.subscribe('trail', received.add);
    await audit.subscribe('trail', received.add);
    await audit.publish('trail', 'from audit');
    await main.publish('trail', 'from main');
    expect(await received.has(2)).toEqual(['from audit', 'from main']);
  });

  it('joins two buses on one named engine', async () => {
    const url = 'memory:joined-in-module-spec';
    const app = await startApp({ imports: [memory({ url }), memory({ name: 'second', url })] });
    const received = new Collector<unknown>();
    await app.get<DiscoBusService>(getDiscoBusToken('second')).subscribe('echo', received.add);
    await app.get(DiscoBusService).publish('echo', 1);
    expect(await received.has(1)).toEqual([1]);
  });

  it('takes a driver of the caller, and a sink', async () => {
    const up: boolean[] = [];
    const ignore = () => {};
    const topic = {
      published: ignore,
      processed: ignore,
      retried: ignore,
      deadLettered: ignore,
      dropped: ignore,
    };
    const sink: Metrics = {
      topic: () => ({ ...topic, inFlight: ignore, subscriptions: ignore, size: ignore }),
      lockOperation: ignore,
      lockWaited: ignore,
      lockHeld: ignore,
      lockLost: ignore,
      connection: (state) => up.push(state),
    };
    const app = await startApp({ imports: [memory({ driver: memoryDriver(), metrics: sink })] });
    expect(await echo(app.get(DiscoBusService))).toEqual({ hello: 'world' });
    await app.close();
    expect(up[0]).toBe(true);
    expect(up.at(-1)).toBe(false);
  });

  it('tells its status as an Observable that completes', async () => {
    const app = await startApp({ imports: [memory({ url: 'memory:' })] });
    const bus = app.get(DiscoBusService);
    const told: BusStatus[] = [];
    let completed = false;
    bus.status.subscribe({ next: (status) => told.push(status), complete: () => (completed = true) });
    await app.close();
    expect(told).toContainEqual({ type: 'state', state: 'draining' });
    expect(told.at(-1)).toEqual({ type: 'state', state: 'closed' });
    expect(completed).toBe(true);
    let late = false;
    bus.status.subscribe({ complete: () => (late = true) });
    expect(late).toBe(true);
  });

  it.each([
    ['an unknown scheme', { url: 'http://localhost' }, /url must begin with/],
    ['url and driver', { url: 'memory:', driver: memoryDriver() }, /exclude each other/],
    ['a url that is no string', { url: 7 }, /url must be a string/],
    ['a bad duration', { url: 'memory:', shutdownTimeout: 'soon' }, /shutdownTimeout/],
    ['a bad topic in the table', { url: 'memory:', topics: { 'a b': {} } }, /not a topic/],
    ['a bad sink', { url: 'memory:', metrics: 'yes' }, /metrics/],
    ['a bad switch', { url: 'memory:', registerHandlers: 1 }, /registerHandlers/],
    ['a bad name', { url: 'memory:', name: 'a b' }, /name of a bus/],
    ['null', null, /must be an object/],
  ])('refuses %s when the module is made', async (_what, options, text) => {
    const starting = (async () => startContext({ imports: [memory(options as never)] }))();
    await expect(starting).rejects.toThrow(text);
    await expect(starting).rejects.toSatisfyError();
  });

  it('is needed: the module as it stands is refused, and told what to import', async () => {
    await expect(startApp({ imports: [DiscoBusModule] })).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
      message: expect.stringContaining('import DiscoBusModule.forRoot()'),
    });
  });

  it('never quotes a password', async () => {
    const starting = (async () => startContext({ imports: [memory({ url: 'redis+x://u:secret@h' })] }))();
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.not.toThrow(/secret/);
  });

  it('refuses two buses of one name', async () => {
    const two = { imports: [memory({ url: 'memory:' }), memory({ url: 'memory:' })] };
    await expect(startContext(two)).rejects.toThrow(/Two buses of the application are named "default"/);
  });

  it('lets a test put something else in its place', async () => {
    const { Test } = await import('@nestjs/testing');
    const published: unknown[] = [];
    const module = await Test.createTestingModule({ imports: [memory({ url: 'redis://127.0.0.1:1' })] })
      .overrideProvider(DiscoBusService)
      .useValue({ publish: async (topic: string) => published.push(topic) })
      .compile();
    await module.init();
    await module.get(DiscoBusService).publish('orders', 1);
    expect(published).toEqual(['orders']);
    await module.close();
  });
});

describe('forRootAsync', () => {
  const URL = 'BUS_URL';
  @Module({ providers: [{ provide: URL, useValue: 'memory:' }], exports: [URL] })
  class ConfigModule {}

  @Injectable()
  class BusConfig implements DiscoBusOptionsFactory {
    constructor(@Inject(URL) private readonly url: string) {}

    async createDiscoBusOptions(): Promise<DiscoBusFactoryOptions> {
      return { url: this.url, service: 'configured' };
    }
  }
  @Module({ imports: [ConfigModule], providers: [BusConfig], exports: [BusConfig] })
  class BusConfigModule {}

  const ways: [string, DiscoBusModuleAsyncOptions][] = [
    [
      'useFactory',
      {
        imports: [ConfigModule],
        inject: [URL],
        useFactory: (url: string) => ({ url, service: 'configured' }),
      },
    ],
    ['an async useFactory', { useFactory: async () => ({ url: 'memory:', service: 'configured' }) }],
    ['useClass', { imports: [ConfigModule], useClass: BusConfig }],
    ['useExisting', { imports: [BusConfigModule], useExisting: BusConfig }],
  ];
  it.each(ways)('takes %s', async (_way, options) => {
    const app = await startApp({ imports: [DiscoBusModule.forRootAsync(options)] });
    const bus = app.get(DiscoBusService);
    expect(bus.bus.service).toBe('configured');
    expect(await echo(bus)).toEqual({ hello: 'world' });
  });

  it('takes a name, and need not be global', async () => {
    const named = DiscoBusModule.forRootAsync({
      name: 'late',
      isGlobal: false,
      useFactory: () => ({ url: 'memory:' }),
    });
    const app = await startApp({ imports: [named] });
    expect(app.get<DiscoBusService>(getDiscoBusToken('late')).state).toBe('ready');
    expect(() => app.get(DiscoBusService)).toThrow();
  });

  it('needs exactly one way, and well-formed options from it', async () => {
    expect(() => DiscoBusModule.forRootAsync({})).toThrow(ConfigurationError);
    expect(() => DiscoBusModule.forRootAsync({ useFactory: () => ({}), useClass: BusConfig })).toThrow(
      ConfigurationError,
    );
    const empty = DiscoBusModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(startContext({ imports: [empty] })).rejects.toThrow(ConfigurationError);
  });
});

describe('where the bus leads', () => {
  const before = process.env.DISCO_BUS_URL;
  afterEach(() => {
    if (before === undefined) delete process.env.DISCO_BUS_URL;
    else process.env.DISCO_BUS_URL = before;
  });

  it('is what DISCO_BUS_URL says, when the options do not', async () => {
    process.env.DISCO_BUS_URL = 'memory:';
    const app = await startApp({ imports: [memory()] });
    expect(await echo(app.get(DiscoBusService))).toEqual({ hello: 'world' });
    process.env.DISCO_BUS_URL = 'nonsense';
    await expect(startContext({ imports: [memory()] })).rejects.toThrow(/DISCO_BUS_URL must begin/);
    const told = await startApp({ imports: [memory({ url: 'memory:' })] });
    expect(told.get(DiscoBusService).state).toBe('ready');
  });

  it('is a real Redis', async () => {
    const server = await RedisServer.start();
    try {
      process.env.DISCO_BUS_URL = server.url;
      const publishing = await startApp({ imports: [memory()] });
      const receiving = await startApp({ imports: [memory({ url: server.url })] });
      const received = new Collector<unknown>();
      await receiving.get(DiscoBusService).subscribe('echo', received.add);
      const receipt = await publishing.get(DiscoBusService).publish('echo', 'over the wire');
      expect(receipt.position).toMatch(/^\d+-\d+$/);
      expect(await received.has(1)).toEqual(['over the wire']);
      await closeApps();
    } finally {
      await server.stop();
    }
  });

  it('fails the start when the connection is critical and there is none', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const starting = startContext({
      imports: [memory({ url, connection: { critical: true, timeout: 300 } })],
    });
    await expect(starting).rejects.toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
  });
});

expect.extend({
  toSatisfyError: (error: unknown) => ({
    pass: isDiscoBusError(error),
    message: () => `expected an error of the bus, got ${error}`,
  }),
});
declare global {
  namespace jest {
    interface Matchers<R> {
      toSatisfyError(): R;
    }
  }
}
