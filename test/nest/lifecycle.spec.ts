import {
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoBusModule, DiscoBusService, type DiscoMessageContext, DiscoSubscribe } from 'nestjs-disco-bus';
import { Collector } from '../support/collector.js';
import { freePort, RedisServer } from '../support/redis-server.js';
import { closeApps, gate, startApp, startContext } from './support.js';

let got: Collector<string>;
beforeEach(() => {
  got = new Collector();
});
afterEach(closeApps);

describe('start', () => {
  it('has connected before other modules begin, and subscribed before their bootstrap hooks', async () => {
    @Injectable()
    class Handling {
      @DiscoSubscribe('orders')
      handle(payload: string) {
        got.add(payload);
      }
    }
    @Injectable()
    class Early implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly bus: DiscoBusService) {}

      onModuleInit() {
        got.add(`init ${this.bus.state}`);
      }

      async onApplicationBootstrap() {
        await this.bus.publish('orders', 'from bootstrap');
      }
    }
    await startApp({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Early, Handling] });
    expect(await got.has(2)).toEqual(['init ready', 'from bootstrap']);
  });

  it('does not wait for a Redis that is down, and handlers are live once it is up', async () => {
    @Injectable()
    class Handling {
      @DiscoSubscribe('orders')
      handle(payload: string) {
        got.add(payload);
      }
    }
    const port = await freePort();
    const bus = DiscoBusModule.forRoot({
      url: `redis://127.0.0.1:${port}`,
      connection: { timeout: 200 },
      defaults: { delivery: 'at-most-once' },
    });
    const startedMs = performance.now();
    const app = await startContext({ imports: [bus], providers: [Handling] });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    const service = app.get(DiscoBusService);
    expect(service.state).toBe('connecting');
    const server = await RedisServer.startOn(port);
    try {
      await service.publish('orders', 'was waiting for the connection');
      await subscribed(service);
      got = new Collector();
      await service.publish('orders', 'late');
      while (!got.values.includes('late')) await got.has(got.values.length + 1);
      await app.close();
      expect(service.state).toBe('closed');
    } finally {
      await server.stop();
    }
  });

  it('does not wait at all, if told so', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`;
    const app = await startContext({
      imports: [DiscoBusModule.forRoot({ url, connection: { wait: false } })],
    });
    expect(app.get(DiscoBusService).state).toBe('connecting');
    await app.close();
  });

  it('tells at once what is wrong with a handler, even while Redis is down', async () => {
    @Injectable()
    class Wrong {
      @DiscoSubscribe('orders', { timeout: 'soon' as never })
      handle() {}
    }
    const url = `redis://127.0.0.1:${await freePort()}`;
    const bus = DiscoBusModule.forRoot({ url, connection: { wait: false } });
    await expect(startContext({ imports: [bus], providers: [Wrong] })).rejects.toMatchObject({
      code: 'DISCO_CONFIGURATION',
    });
  });

  /** Resolves when a message published to `orders` is received by somebody. */
  async function subscribed(service: DiscoBusService): Promise<void> {
    for (;;) {
      const { receivers } = await service.publish('orders', 'anybody there?');
      if (receivers) return;
    }
  }
});

describe('shutdown', () => {
  /** What handlers need: gone once its module is destroyed. */
  @Injectable()
  class Database implements OnModuleDestroy {
    open = true;
    closedWith: DiscoBusService | undefined;

    constructor(private readonly bus: DiscoBusService) {}

    async onModuleDestroy() {
      this.open = false;
      got.add(`database closed, bus ${this.bus.state}`);
      await this.bus.publish('farewell', 'still published');
    }
  }
  @Module({ providers: [Database], exports: [Database] })
  class DatabaseModule {}

  const guarantees = ['at-most-once', 'at-least-once'] as const;
  it.each(guarantees)('lets handlers finish before anything they use is gone, %s', async (delivery) => {
    const begun = gate();
    const finish = gate();
    let withoutDatabase = 0;
    let handled = 0;
    @Injectable()
    class Handling implements OnModuleDestroy {
      constructor(private readonly database: Database) {}

      @DiscoSubscribe('orders', { concurrency: 4 })
      async handle() {
        begun.open();
        await finish.opened;
        if (!this.database.open) withoutDatabase++;
        handled++;
        got.add('handled');
      }

      onModuleDestroy() {
        got.add('handler destroyed');
      }
    }
    const url = `memory:shutdown-${delivery}`;
    const defaults = { delivery };
    const app = await startContext({
      imports: [DatabaseModule, DiscoBusModule.forRoot({ url, defaults })],
      providers: [Handling],
    });
    const other = await startContext({ imports: [DiscoBusModule.forRoot({ url, defaults })] });
    const publisher = other.get(DiscoBusService);
    await publisher.publishBatch('orders', [1, 2, 3, 4]);
    await begun.opened;
    const closing = app.close();
    await publisher.publishBatch('orders', [5, 6, 7]);
    finish.open();
    await closing;
    expect(handled).toBeGreaterThanOrEqual(4);
    expect(withoutDatabase).toBe(0);
    expect(got.values.indexOf('handled')).toBeLessThan(got.values.indexOf('handler destroyed'));
    expect(got.values.lastIndexOf('handled')).toBeLessThan(
      got.values.indexOf('database closed, bus draining'),
    );
    expect(handled).toBe(delivery === 'at-least-once' ? 4 : handled);
  });

  it('does not wait longer than shutdownTimeout, and aborts what still runs', async () => {
    const begun = gate();
    const aborted = gate();
    @Injectable()
    class Endless {
      @DiscoSubscribe('orders')
      handle(_payload: unknown, { signal }: DiscoMessageContext) {
        signal.addEventListener('abort', () => aborted.open());
        begun.open();
        return new Promise(() => {});
      }
    }
    const bus = DiscoBusModule.forRoot({ url: 'memory:', shutdownTimeout: 100 });
    const app = await startContext({ imports: [bus], providers: [Endless] });
    await app.get(DiscoBusService).publish('orders', 1);
    await begun.opened;
    const startedMs = performance.now();
    await app.close();
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual(95);
    expect(tookMs).toBeLessThan(2_000);
    await aborted.opened;
  });

  it('works when the bus was stopped before, and when the application is closed twice', async () => {
    const app = await startContext({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })] });
    const bus = app.get(DiscoBusService);
    await bus.stop();
    await Promise.all([app.close(), app.close()]);
    expect(bus.state).toBe('closed');
  });

  it('leaves another application of the process alone', async () => {
    @Injectable()
    class Handling {
      @DiscoSubscribe('orders')
      handle(payload: string) {
        got.add(payload);
      }
    }
    const metadata = () => ({ imports: [DiscoBusModule.forRoot({ url: 'memory:' })], providers: [Handling] });
    const first = await startApp(metadata());
    const second = await startApp(metadata());
    await first.get(DiscoBusService).publish('orders', 'to the first');
    await first.close();
    await second.get(DiscoBusService).publish('orders', 'to the second');
    expect(await got.has(2)).toEqual(['to the first', 'to the second']);
  });
});
