import { randomUUID } from 'node:crypto';
import { Controller, Get, type INestApplication, Injectable } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  ConfigurationError,
  DiscoBusModule,
  DiscoBusService,
  DiscoHealth,
  DiscoSubscribe,
} from 'nestjs-disco-bus';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { DiscoBusHealthIndicator } from 'nestjs-disco-bus/terminus';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/waiting.js';
import { closeApps, gate, startApp } from './support.js';

const holds: (() => void)[] = [];
afterEach(async () => {
  for (const open of holds.splice(0)) open();
  await closeApps();
});

/** Options of a bus that shares nothing with those of other tests. */
const fresh = () => ({ service: 'billing', prefix: `t${randomUUID()}` });

let redis: RedisServer;
let proxy: FaultProxy;
beforeAll(async () => {
  redis = await RedisServer.start();
  proxy = await FaultProxy.start(redis.port);
});
afterEach(() => proxy.pass());
afterAll(async () => {
  await proxy.stop();
  await redis.stop();
});

/** Handlers of one group; what is published to `orders.held` stays in hand until `hold` opens. */
function handlers() {
  const hold = gate();
  holds.push(hold.open);
  @Injectable()
  class Orders {
    @DiscoSubscribe('orders.created', { retry: { attempts: 1 } })
    onCreated(what: string) {
      if (what === 'fails') throw new Error('db down');
    }
    @DiscoSubscribe('orders.held', { concurrency: 1, prefetch: 0 })
    async onHeld() {
      await hold.opened;
    }
    @DiscoSubscribe('returns.*')
    async onReturn() {
      await hold.opened;
    }
  }
  return { Orders, hold };
}

const drivers = {
  memory: () => ({ url: 'memory:' }),
  redis: () => ({ driver: redisDriver({ url: redis.url }) }),
};

describe.each(Object.entries(drivers))('DiscoHealth over %s', (name, driver) => {
  it('says what bus.inspect says, and what is beyond a threshold', async () => {
    const { Orders, hold } = handlers();
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ ...driver(), ...fresh() })],
      providers: [Orders],
    });
    const bus = app.get(DiscoBusService);
    const health = app.get(DiscoHealth);
    await bus.publish('orders.held', 1);
    await until('one is running', () =>
      bus.bus.subscriptions.some(({ topic, running }) => topic === 'orders.held' && running === 1),
    );
    for (let n = 2; n <= 5; n++) await bus.publish('orders.held', n);
    await bus.publish('orders.created', 'fails');
    await bus.publish('returns.shoes', 1);
    await until(
      'one is running',
      async () => (await bus.inspect.group('orders.held', 'billing'))?.running === 1,
    );
    await until('one failed', async () => (await bus.deadLetters('orders.created').peek()).length === 1);
    await until(
      'one returned',
      async () => (await bus.inspect.group('returns.shoes', 'billing@returns.*'))?.running === 1,
    );

    const report = await health.check({
      waiting: { degraded: 1, down: 4 },
      deadLetters: 1,
      oldest: '1h',
      roundTrip: '2s',
    });
    const [{ groups, roundTripMs, ...told }] = report.buses;
    expect(told).toEqual({
      bus: 'default',
      driver: name,
      connected: true,
      server: expect.any(String),
      handlers: 3,
      live: 3,
    });
    expect(roundTripMs).toBeGreaterThanOrEqual(0);
    const inspected = [];
    for (const topic of await bus.inspect.topics()) {
      for (const each of topic.groups) {
        const { group, waiting, held, running, retries, deadLetters, paused } = each;
        const counts = { topic: topic.topic, group, waiting, held, running, retries, paused };
        inspected.push({ ...counts, deadLetters: deadLetters.messages });
      }
    }
    const byTopic = (a: { topic: string }, b: { topic: string }) => (a.topic < b.topic ? -1 : 1);
    expect(groups.map(({ oldestMs, ...counts }) => counts).sort(byTopic)).toEqual(inspected.sort(byTopic));
    expect(groups.find(({ topic }) => topic === 'orders.held')?.oldestMs).toBeGreaterThanOrEqual(0);
    expect(report.status).toBe('down');
    expect(report.problems.map(({ text, ...rest }) => rest)).toEqual([
      {
        bus: 'default',
        problem: 'dead-letters',
        status: 'degraded',
        topic: 'orders.created',
        group: 'billing',
      },
      { bus: 'default', problem: 'waiting', status: 'down', topic: 'orders.held', group: 'billing' },
    ]);
    expect(report.problems[1].text).toMatch(/^4 messages wait for the group "billing" of "orders.held"$/);
    expect(await health.check({ topics: ['orders.created', 'not.there'] })).toMatchObject({
      status: 'up',
      buses: [{ groups: [{ topic: 'orders.created', group: 'billing', deadLetters: 1 }] }],
    });
    hold.open();
  });

  it('is not ready before handlers are live, nor while it drains', async () => {
    const { Orders, hold } = handlers();
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ ...driver(), ...fresh() })],
      providers: [Orders],
    });
    const health = app.get(DiscoHealth);
    const { bus } = app.get(DiscoBusService);
    expect(health.readiness()).toMatchObject({
      status: 'up',
      problems: [],
      buses: [{ handlers: 3, live: 3 }],
    });
    const declared = bus.declare('late', { group: 'late' }, 'Late.onLate');
    expect(health.readiness()).toMatchObject({
      status: 'down',
      problems: [
        {
          problem: 'not-live',
          topic: 'late',
          group: 'late',
          text: 'the bus "default": Late.onLate does not read "late" yet',
        },
      ],
    });
    const subscription = await declared.open(() => {});
    expect(health.readiness().status).toBe('up');
    await subscription.close();
    expect(health.readiness()).toMatchObject({ status: 'up', buses: [{ handlers: 3 }] });

    await bus.publish('orders.held', 1);
    await until('it is held', () => bus.subscriptions.some(({ running }) => running === 1));
    const draining = bus.drain();
    expect(health.readiness()).toMatchObject({ status: 'down', problems: [{ problem: 'closing' }] });
    hold.open();
    await draining;
    await app.close();
    expect(health.readiness()).toMatchObject({
      status: 'down',
      problems: [{ text: 'the bus "default" is closed' }],
    });
  });
});

describe('DiscoHealth', () => {
  const overProxy = async (options: object = {}) => {
    const { Orders } = handlers();
    const app = await startApp({
      imports: [DiscoBusModule.forRoot({ driver: redisDriver({ url: proxy.url }), ...fresh(), ...options })],
      providers: [Orders],
    });
    return { app, health: app.get(DiscoHealth), bus: app.get(DiscoBusService) };
  };

  it('is degraded in an outage, or down where that is wished, and comes back', async () => {
    const { health, bus } = await overProxy();
    proxy.refuse();
    proxy.cut();
    await until('it is noticed', () => !bus.connected);
    expect(health.readiness()).toMatchObject({ status: 'degraded', problems: [{ problem: 'disconnected' }] });
    expect(health.readiness({ whenDisconnected: 'down' }).status).toBe('down');
    expect(await health.check()).toMatchObject({
      status: 'degraded',
      buses: [{ connected: false, groups: [] }],
    });
    proxy.pass();
    await until('it is back', () => bus.connected);
    expect(health.readiness().status).toBe('up');
    expect((await health.check()).status).toBe('up');
  });

  it('takes no longer than its time limit, when nothing answers', async () => {
    const { health } = await overProxy();
    proxy.blackHole('to-server', 'to-client');
    const startedMs = performance.now();
    const report = await health.check({ timeout: '200ms' });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(report).toMatchObject({
      status: 'down',
      problems: [{ problem: 'no-answer', text: expect.stringContaining('no answer within 200 ms') }],
    });
  });

  it('counts how long the server takes', async () => {
    const { health } = await overProxy();
    proxy.delay(50);
    const report = await health.check({ roundTrip: { degraded: '20ms', down: '10s' } });
    expect(report).toMatchObject({ status: 'degraded', problems: [{ problem: 'round-trip' }] });
    expect(report.buses[0].roundTripMs).toBeGreaterThanOrEqual(50);
  });

  it('is down where there never was a connection, and the application runs all the same', async () => {
    proxy.refuse();
    const { app, health } = await overProxy({ connection: { critical: false, timeout: '50ms' } });
    expect(health.readiness()).toMatchObject({
      status: 'down',
      problems: [{ problem: 'not-started', text: 'the bus "default" was never connected' }],
    });
    expect(await health.check()).toMatchObject({ status: 'down' });
    await app.close();
  });

  it.each([
    [{ waiting: '5' }, 'check.waiting.degraded must be a number from 0, not "5"'],
    [{ waiting: { degraded: 5, down: 2 } }, 'check.waiting: degraded must not be more than down'],
    [{ oldest: 'soon' }, 'check.oldest.degraded'],
    [{ oldest: null }, 'check.oldest must be a value or { degraded, down }, not null'],
    [{ wating: 5 }, 'waiting'],
    [{ buses: ['adit'] }, 'There is no bus "adit"; the application has "default"'],
    [{ timeout: 0 }, 'timeout'],
  ])('refuses %j', async (options, text) => {
    const app = await startApp({ imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'billing' })] });
    const checking = app.get(DiscoHealth).check(options as never);
    await expect(checking).rejects.toThrow(ConfigurationError);
    await expect(app.get(DiscoHealth).check(options as never)).rejects.toThrow(text);
  });
});

describe('DiscoBusHealthIndicator', () => {
  @Controller('health')
  class HealthController {
    constructor(
      private readonly health: HealthCheckService,
      private readonly bus: DiscoBusHealthIndicator,
    ) {}
    @Get('live')
    @HealthCheck()
    live() {
      return this.health.check([() => this.bus.live('process')]);
    }
    @Get('ready')
    @HealthCheck()
    ready() {
      return this.health.check([() => this.bus.ready('bus')]);
    }
    @Get()
    @HealthCheck()
    all() {
      return this.health.check([() => this.bus.check('bus', { deadLetters: { degraded: 1, down: 100 } })]);
    }
    @Get('wrong')
    @HealthCheck()
    wrong() {
      return this.health.check([() => this.bus.check('bus', { buses: ['adit'] })]);
    }
  }

  let app: INestApplication;
  let url: string;
  beforeEach(async () => {
    const { Orders } = handlers();
    const module = await Test.createTestingModule({
      imports: [
        TerminusModule,
        DiscoBusModule.forRoot({ driver: redisDriver({ url: proxy.url }), ...fresh() }),
      ],
      controllers: [HealthController],
      providers: [Orders, DiscoBusHealthIndicator],
    })
      .setLogger(false as never)
      .compile();
    app = module.createNestApplication();
    await app.listen(0);
    url = await app.getUrl();
  });
  afterEach(() => app.close());

  const get = async (path: string) => {
    const response = await fetch(`${url.replace('[::1]', 'localhost')}${path}`);
    return { code: response.status, body: (await response.json()) as any };
  };

  it('answers 200 while all is well, 200 and degraded in an outage, and lives on', async () => {
    expect(await get('/health/ready')).toMatchObject({
      code: 200,
      body: { status: 'ok', details: { bus: { status: 'up' } } },
    });
    expect(await get('/health')).toMatchObject({ code: 200, body: { status: 'ok' } });
    proxy.refuse();
    proxy.cut();
    await until('it is noticed', () => !app.get(DiscoBusService).connected);
    expect(await get('/health/live')).toMatchObject({ code: 200, body: { status: 'ok' } });
    const { code, body } = await get('/health/ready');
    expect([code, body.status]).toEqual([200, 'degraded']);
    expect(body.details.bus).toMatchObject({
      status: 'degraded',
      problems: [{ problem: 'disconnected', severity: 'degraded', bus: 'default' }],
    });
  });

  it('tells of dead letters, and of them alone', async () => {
    const bus = app.get(DiscoBusService);
    await bus.publish('orders.created', 'fails');
    await until('it failed', async () => (await bus.deadLetters('orders.created').peek()).length > 0);
    const { code, body } = await get('/health');
    expect([code, body.status]).toEqual([200, 'degraded']);
    expect(body.details.bus.problems).toEqual([
      expect.objectContaining({ problem: 'dead-letters', topic: 'orders.created' }),
    ]);
    expect(await get('/health/ready')).toMatchObject({ code: 200, body: { status: 'ok' } });
    await bus.deadLetters('orders.created').purge();
  });

  it('answers 503 and not 500 when it cannot answer', async () => {
    const { code, body } = await get('/health/wrong');
    expect([code, body.status]).toEqual([503, 'error']);
    expect(body.error.bus.message).toContain('There is no bus "adit"');
  });

  it('answers 503 while it drains', async () => {
    await app.get(DiscoBusService).drain();
    expect(await get('/health/ready')).toMatchObject({ code: 503 });
    expect(await get('/health/live')).toMatchObject({ code: 200 });
  });

  it('says degraded beside up, where Terminus knows no degraded', async () => {
    const old = new HealthIndicatorService();
    const check = old.check.bind(old);
    old.check = ((key: string) => Object.assign(check(key), { degraded: undefined })) as never;
    const indicator = new DiscoBusHealthIndicator(old, app.get(DiscoHealth));
    proxy.refuse();
    proxy.cut();
    await until('it is noticed', () => !app.get(DiscoBusService).connected);
    expect(await indicator.ready('bus')).toMatchObject({ bus: { status: 'up', degraded: true } });
  });
});
