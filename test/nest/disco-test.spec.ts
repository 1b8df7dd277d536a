import { Injectable, Module, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { memoryDriver } from '../../lib/drivers/memory/index.js';
import {
  DiscoBusModule,
  DiscoBusService,
  DiscoSubscribe,
  UnrecoverableError,
  WithLock,
} from '../../lib/index.js';
import { DiscoTest, ManualClock, NotSettledError, withTestLocks } from '../../lib/testing/index.js';
import { RedisServer } from '../support/redis-server.js';

interface Order {
  id: number;
}

@Injectable()
class Shop {
  shipped: number[] = [];
  hold: Promise<void> | undefined;

  constructor(private readonly bus: DiscoBusService) {}

  order(id: number) {
    return this.bus.publish('orders.created', { id });
  }

  @DiscoSubscribe('orders.created', { retry: { attempts: 3, backoff: { delay: '20ms', jitter: false } } })
  async created({ id }: Order) {
    await this.hold;
    await this.bus.publish('orders.paid', { id });
  }

  @DiscoSubscribe('orders.paid', { group: 'shipping' })
  ship({ id }: Order) {
    if (id < 0) throw new UnrecoverableError('no such order');
    this.shipped.push(id);
  }

  @DiscoSubscribe('orders.*', { delivery: 'at-least-once', batch: { size: 10, linger: '5ms' } })
  audit(orders: Order[]) {
    return orders.length;
  }

  @DiscoSubscribe('told', { delivery: 'at-most-once' })
  told({ id }: Order) {
    this.shipped.push(id);
  }

  @DiscoSubscribe('prices')
  price({ item }: { item: string }) {
    if (item === '') throw new Error('no item');
    return item.length;
  }

  @WithLock('digest', { onBusy: 'skip' })
  async digest(): Promise<string | undefined> {
    return 'sent';
  }
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

let app: TestingModule;
afterEach(() => app?.close());

async function compiled(options: object, providers: Type[] = [Shop]): Promise<TestingModule> {
  @Module({ imports: [DiscoBusModule.forRoot({ service: 'shop', metrics: false, ...options })], providers })
  class AppModule {}
  app = await Test.createTestingModule({ imports: [AppModule] })
    .setLogger(false as never)
    .compile();
  return app;
}

async function attached(options: object): Promise<{ test: DiscoTest; shop: Shop }> {
  const module = await compiled(options);
  const test = DiscoTest.attach(module);
  await module.init();
  return { test, shop: module.get(Shop) };
}

describe.each([
  ['memory', () => ({ url: 'memory:' })],
  ['redis', () => ({ url: server.url, prefix: `t${Math.random().toString(36).slice(2)}` })],
])('DiscoTest on %s', (_, options) => {
  it('settles when follow-ups and retries are done, and tells what was published and handled', async () => {
    const { test, shop } = await attached(options());
    test.fail('orders.created', new Error('away'), 2);
    await shop.order(1);
    await test.settled();
    expect(shop.shipped).toEqual([1]);
    expect(test.published().map(({ topic, payload }) => [topic, payload])).toEqual([
      ['orders.created', { id: 1 }],
      ['orders.paid', { id: 1 }],
    ]);
    const created = test.handled<Order>('orders.created').filter(({ handler }) => handler === 'Shop.created');
    expect(created).toMatchObject([{ payload: { id: 1 }, attempt: expect.any(Number), group: 'shop' }]);
    expect(test.failed().map(({ error }) => (error as Error).message)).toEqual(['away', 'away']);
    expect(test.deadLettered()).toEqual([]);
  });

  it('tells what was dead-lettered', async () => {
    const { test, shop } = await attached(options());
    await shop.order(-1);
    await test.settled();
    expect(test.deadLettered('orders.*')).toMatchObject([
      { topic: 'orders.paid', group: 'shipping', reason: 'unrecoverable', handler: 'Shop.ship' },
    ]);
  });

  it('waits for what is told at most once', async () => {
    const { test, shop } = await attached(options());
    await app.get(DiscoBusService).publish('told', { id: 7 }, { delivery: 'at-most-once' });
    await test.settled();
    expect(shop.shipped).toEqual([7]);
  });

  it('names what it waits for when its time is over', async () => {
    const { test, shop } = await attached(options());
    let go!: () => void;
    shop.hold = new Promise((resolve) => (go = resolve));
    await shop.order(2);
    const late = await test.settled({ timeout: '150ms' }).catch((error) => error);
    expect(late).toBeInstanceOf(NotSettledError);
    expect(late.pending).toEqual(
      expect.arrayContaining(['Shop.created runs', '"orders.created", group "shop": 1 not settled']),
    );
    go();
    await test.settled();
    expect(shop.shipped).toEqual([2]);
  });

  it('waits for a delayed message that is due in time, and not for a later one', async () => {
    const { test, shop } = await attached(options());
    const bus = app.get(DiscoBusService);
    await bus.publish('orders.paid', { id: 3 }, { delay: '60ms' });
    await bus.publish('orders.paid', { id: 4 }, { delay: '1h' });
    await test.settled();
    expect(shop.shipped).toEqual([3]);
  });

  it('tells of requests, their replies and their failures', async () => {
    const { test } = await attached(options());
    const bus = app.get(DiscoBusService);
    await expect(bus.request('prices', { item: 'lamp' })).resolves.toBe(4);
    await expect(bus.request('prices', { item: '' })).rejects.toThrow('no item');
    await test.settled();
    expect(test.requests('prices')).toMatchObject([
      { payload: { item: 'lamp' }, replies: [4] },
      { payload: { item: '' }, replies: [], error: { code: 'DISCO_REMOTE' } },
    ]);
  });

  it('holds a lock as another process would', async () => {
    const { test, shop } = await attached(options());
    const lock = await test.holdLock('digest');
    expect(await shop.digest()).toBeUndefined();
    await lock.release();
    expect(await shop.digest()).toBe('sent');
  });
});

describe('DiscoTest', () => {
  it('moves retries, delays and locks by one call of the clock', async () => {
    const clock = new ManualClock();
    @Injectable()
    class Small {
      shipped: number[] = [];

      @DiscoSubscribe('orders.paid', { retry: { attempts: 2, backoff: { delay: '20ms', jitter: false } } })
      ship({ id }: Order) {
        this.shipped.push(id);
      }
    }
    const module = await compiled({ driver: memoryDriver({ clock }), clock }, [Small]);
    const test = DiscoTest.attach(module);
    await module.init();
    const bus = module.get(DiscoBusService);
    const { shipped } = module.get(Small);
    test.fail('orders.paid');
    await bus.publish('orders.paid', { id: 1 });
    await bus.publish('orders.paid', { id: 9 }, { delay: '1h' });
    await bus.locks.acquire('digest', { ttl: '10s' });
    await test.settled();
    expect(shipped).toEqual([]);
    await test.advance('20ms');
    expect(shipped).toEqual([1]);
    expect(await bus.locks.tryAcquire('digest')).toBeNull();
    await test.advance('1h');
    expect(shipped).toEqual([1, 9]);
    expect(await bus.locks.tryAcquire('digest')).not.toBeNull();
  });

  it('hands a message to one handler, and tells what came of it', async () => {
    const { test, shop } = await attached({ url: 'memory:' });
    expect(await test.deliver('Shop.ship', { id: 5 })).toEqual({
      result: undefined,
      retried: false,
      terminated: undefined,
    });
    expect(shop.shipped).toEqual([5]);
    expect(await test.deliver('Shop.audit', [{ id: 1 }, { id: 2 }], { topic: 'orders.paid' })).toMatchObject({
      result: 2,
    });
    await expect(test.deliver('Shop.ship', { id: -1 })).rejects.toThrow('no such order');
    await expect(test.deliver('Shop.shp', {})).rejects.toMatchObject({
      code: 'DISCO_HANDLER_UNKNOWN',
      nearest: 'Shop.ship',
    });
    await expect(test.deliver('Shop.audit', [])).rejects.toThrow('name a topic');
    await expect(test.deliver('Shop.audit', {}, { topic: 'orders.x' })).rejects.toThrow(
      'an array of payloads',
    );
  });

  it('says what is wrong with the application that it is attached to', async () => {
    const module = await compiled({ url: 'memory:' });
    await module.init();
    expect(() => DiscoTest.attach(module)).toThrow('attach before the application is initialized');
    const empty = await Test.createTestingModule({}).compile();
    expect(() => DiscoTest.attach(empty)).toThrow('imports no DiscoBusModule.forRoot()');
  });

  it('moves no clock of the computer', async () => {
    const { test } = await attached({ url: 'memory:' });
    await expect(test.advance('1s')).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
  });
});

describe('withTestLocks', () => {
  it('lets methods under locks be called without an application, free and held', async () => {
    const bus = {} as DiscoBusService;
    expect(await (await withTestLocks(new Shop(bus))).digest()).toBe('sent');
    expect(await (await withTestLocks(new Shop(bus), { held: ['digest'] })).digest()).toBeUndefined();
    await expect(new Shop(bus).digest()).rejects.toMatchObject({ code: 'DISCO_CONFIGURATION' });
  });
});
