import { Injectable, Logger } from '@nestjs/common';
import {
  DiscoBusModule,
  DiscoBusService,
  DiscoHandlers,
  DiscoSubscribe,
  UnknownHandlerError,
} from 'nestjs-disco-bus';
import { MemoryBroker, memoryDriver } from 'nestjs-disco-bus/memory';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { Collector } from '../support/collector.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { closeApps, gate, startApp } from './support.js';

afterEach(closeApps);

const stored = { delivery: 'at-least-once' } as const;
const fanOut = { delivery: 'at-most-once' } as const;

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());

/** A process: its application, and what its handlers got. */
async function processOf(driver: object) {
  const got = new Collector<string>();
  const hold = gate();
  @Injectable()
  class OrdersService {
    @DiscoSubscribe('orders.created', { delivery: 'at-least-once', group: 'billing', concurrency: 4 })
    onCreated(n: string) {
      got.add(n);
    }

    @DiscoSubscribe('orders.held', { delivery: 'at-most-once' })
    async onHeld(n: string) {
      got.add(n);
      await hold.opened;
    }

    @DiscoSubscribe('twice.a', { delivery: 'at-most-once' })
    @DiscoSubscribe('twice.*', { delivery: 'at-least-once', group: 'twice' })
    onTwice() {}
  }
  const app = await startApp({
    imports: [DiscoBusModule.forRoot({ ...driver, service: 'orders' })],
    providers: [OrdersService],
  });
  return { got, hold, app, bus: app.get(DiscoBusService), handlers: app.get(DiscoHandlers) };
}

describe('DiscoHandlers', () => {
  it('lists the handlers with how they are subscribed, and what runs', async () => {
    const { handlers, bus, got, hold } = await processOf({ url: 'memory:' });
    expect(handlers.list()).toEqual([
      {
        name: 'OrdersService.onCreated',
        bus: 'default',
        topic: 'orders.created',
        delivery: 'at-least-once',
        group: 'billing',
        concurrency: 4,
        live: true,
        paused: false,
        running: 0,
      },
      expect.objectContaining({ name: 'OrdersService.onHeld', topic: 'orders.held', running: 0 }),
      expect.objectContaining({ name: 'OrdersService.onTwice', topic: 'twice.a', delivery: 'at-most-once' }),
      expect.objectContaining({ name: 'OrdersService.onTwice', topic: 'twice.*', group: 'twice' }),
    ]);
    expect(handlers.list()[1]).not.toHaveProperty('group');
    await bus.publish('orders.held', 'one', fanOut);
    await got.has(1);
    expect(handlers.list()[1].running).toBe(1);
    hold.open();
    await until('nothing runs', () => handlers.list()[1].running === 0);
  });

  it('are told to the log at the start, as they are listed', async () => {
    const log = jest.spyOn(Logger.prototype, 'log');
    try {
      const { handlers } = await processOf({ url: 'memory:' });
      const lines = log.mock.calls.map(([line]) => String(line)).filter((line) => line.includes(' handles '));
      expect(lines).toHaveLength(handlers.list().length);
      expect(lines[0]).toBe(
        'OrdersService.onCreated handles "orders.created": at least once, group "billing", 4 at a time',
      );
      expect(lines[1]).toBe('OrdersService.onHeld handles "orders.held": at most once, 16 at a time');
    } finally {
      log.mockRestore();
    }
  });

  it('pauses and resumes one handler of this process', async () => {
    const driver = { driver: memoryDriver({ broker: new MemoryBroker() }) };
    const { handlers, bus, got, hold } = await processOf(driver);
    hold.open();
    handlers.pause('OrdersService.onCreated');
    expect(handlers.list().map(({ paused }) => paused)).toEqual([true, false, false, false]);
    await bus.publish('orders.created', 'waits', stored);
    await bus.publish('orders.held', 'goes on', fanOut);
    expect(await got.has(1)).toEqual(['goes on']);
    handlers.resume('OrdersService.onCreated');
    expect(await got.has(2)).toEqual(['goes on', 'waits']);
    handlers.pause('OrdersService.onTwice', { topic: 'twice.a' });
    expect(handlers.list().map(({ paused }) => paused)).toEqual([false, false, true, false]);
  });

  it.each([
    [
      'memory',
      () => {
        const broker = new MemoryBroker();
        return () => ({ driver: memoryDriver({ broker }) });
      },
    ],
    ['redis', () => () => ({ driver: redisDriver({ url: redis.url }) })],
  ])(
    'pauses and resumes a handler in all processes, by its group, over %s',
    async (_name, engine) => {
      const own = engine();
      const [one, two] = [await processOf(own()), await processOf(own())];
      const [outcome] = await one.handlers.pauseEverywhere('OrdersService.onCreated', { by: 'ada' });
      expect(outcome).toEqual({
        topic: 'orders.created',
        group: 'billing',
        changed: true,
        members: 2,
        confirmed: 2,
      });
      for (const { handlers } of [one, two]) expect(handlers.list()[0].paused).toBe(true);
      await one.bus.publish('orders.created', 'waits', stored);
      await one.handlers.resumeEverywhere('OrdersService.onCreated', { by: 'ada' });
      await until('it is handled', () => one.got.values.length + two.got.values.length === 1);
      expect((await one.bus.admin.audited()).map(({ by, action }) => [by, action])).toEqual([
        ['ada', 'resume'],
        ['ada', 'pause'],
      ]);
    },
    30_000,
  );

  it('refuses a name that there is not, with the nearest that there is, and what has no group', async () => {
    const { handlers } = await processOf({ url: 'memory:' });
    expect(() => handlers.pause('OrderService.onCreate')).toThrow(UnknownHandlerError);
    expect(() => handlers.pause('OrderService.onCreate')).toThrow(
      'No handler is named "OrderService.onCreate"; did you mean "OrdersService.onCreated"?',
    );
    await expect(handlers.pauseEverywhere('Nothing')).rejects.toMatchObject({
      code: 'DISCO_HANDLER_UNKNOWN',
      nearest: undefined,
    });
    const configuration = { code: 'DISCO_CONFIGURATION' };
    await expect(handlers.pauseEverywhere('OrdersService.onHeld')).rejects.toMatchObject(configuration);
    await expect(
      handlers.pauseEverywhere('OrdersService.onTwice', { topic: 'twice.*' }),
    ).rejects.toMatchObject(configuration);
    expect(() => handlers.resume('OrdersService.onTwice', { topic: 'twice.b' })).toThrow(
      'resume: OrdersService.onTwice is subscribed to "twice.a", "twice.*", not to "twice.b"',
    );
  });
});
