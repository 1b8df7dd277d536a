import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';
import { redisDriver } from 'nestjs-disco-bus/redis';
import { DiscoBusHealthIndicator } from 'nestjs-disco-bus/terminus';
import { register } from 'prom-client';
import type { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { GroupInspection } from '../../../lib/driver/inspection.js';
import { cliStage } from '../../cli/support.js';
import { ConsumerProcess, Journal } from '../../faults/streams-processes.js';
import { gate } from '../../nest/support.js';
import { until } from '../../support/waiting.js';
import { FIRST_RUNS, HOUR_MS, putUnderLoad, SECOND_RUNS } from './load-state.js';

/** What /metrics, the health answer and an inspection all have, under the names of the metrics. */
interface Told {
  readonly waiting_messages: number;
  readonly held_messages: number;
  readonly running_messages: number;
  readonly retrying_messages: number;
  readonly dead_letters: number;
  readonly paused: number;
}

const toldBy = (group: any, deadLetters: number): Told => ({
  waiting_messages: group.waiting,
  held_messages: group.held,
  running_messages: group.running,
  retrying_messages: group.retries,
  dead_letters: deadLetters,
  paused: Number(group.paused),
});

/** The application that is the second of both processes of `billing`, and the only one of `shipping`. */
function appModule(url: string, opened: Promise<void>) {
  class Handlers {
    @DiscoSubscribe('load', { group: 'billing', concurrency: SECOND_RUNS, prefetch: 0 })
    bill() {
      return opened;
    }
    @DiscoSubscribe('load', { group: 'shipping' })
    ship() {}
  }

  @Controller('health')
  class HealthController {
    constructor(
      private readonly health: HealthCheckService,
      private readonly bus: DiscoBusHealthIndicator,
    ) {}
    /** One threshold is what is there, and one is just beyond it. */
    @Get()
    @HealthCheck()
    load() {
      const deadLetters = { degraded: 3, down: 4 };
      return this.health.check([
        () => this.bus.check('bus', { waiting: 10_008, deadLetters, oldest: '1ms' }),
      ]);
    }
    @Get('down')
    @HealthCheck()
    down() {
      return this.health.check([() => this.bus.check('bus', { deadLetters: { down: 3 } })]);
    }
  }

  @Module({
    imports: [
      PrometheusModule.register({ defaultMetrics: { enabled: false } }),
      TerminusModule.forRoot({ logger: false }),
      DiscoBusModule.forRoot({
        ...{ driver: redisDriver({ url, streams: { claimAfter: 2_000 } }), service: 'shop' },
        ...{ metricsInterval: '1s', shutdownTimeout: '1s' },
      }),
    ],
    controllers: [HealthController],
    providers: [Handlers, DiscoBusHealthIndicator],
  })
  class AppModule {}
  return AppModule;
}

describe('/metrics, the health answer and bus.inspect', () => {
  const stage = cliStage();
  const hold = gate();
  let app: INestApplication | undefined;
  let first: ConsumerProcess | undefined;
  afterEach(async () => {
    hold.open();
    await Promise.all([app?.close(), first?.kill()]);
    register.clear();
  });

  async function get(path: string): Promise<{ code: number; text: string }> {
    const response = await fetch(`${await app!.getUrl()}${path}`);
    return { code: response.status, text: await response.text() };
  }

  /** Each gauge of a group, by its name without `disco_bus_group_`. */
  async function scraped(group: string): Promise<Record<string, number>> {
    const { text } = await get('/metrics');
    const line = new RegExp(`^disco_bus_group_(\\w+)\\{topic="load",group="${group}"\\} (\\S+)$`, 'gm');
    return Object.fromEntries([...text.matchAll(line)].map(([, name, value]) => [name, Number(value)]));
  }

  async function answered(path = '/health') {
    const { code, text } = await get(path);
    const { problems, buses } = JSON.parse(text).details.bus;
    const of = (group: string) => buses[0].groups.find((each: { group: string }) => each.group === group);
    return { code, problems, of };
  }

  it('say the same: bundles, retries, dead letters, two groups, two processes', async () => {
    const { services, server, admin } = stage;
    await services.group('load', 'shipping');
    const bus: DiscoBus = await services.start('operator');
    await bus.admin.pauseGroup('load', 'shipping');
    const config = { topic: 'load', group: 'billing', claimAfterMs: 2_000, prefetch: 0 };
    first = ConsumerProcess.start(
      { url: server.url, ...config, concurrency: FIRST_RUNS, workMs: HOUR_MS, retryDelayMs: HOUR_MS },
      new Journal(),
    );
    await first.ready;
    await putUnderLoad(bus, async () => {
      app = await NestFactory.create(appModule(server.url, hold.opened), { logger: false });
      await app.listen(0, '127.0.0.1');
    });
    expect(await admin.xlen('disco:{load}')).toBeLessThan(1_000);

    const inspected = async (group: string) => (await bus.inspect.group('load', group))!;
    const ofInspection = (found: GroupInspection) => toldBy(found, found.deadLetters.messages);
    const telling = app!.get(DiscoBusService);
    for (const group of ['billing', 'shipping']) {
      const wanted = ofInspection(await inspected(group));
      await until(
        `/metrics has read "${group}"`,
        async () => {
          const { waiting_messages, running_messages } = await scraped(group);
          return waiting_messages === wanted.waiting_messages && running_messages === wanted.running_messages;
          // What took a second to read is read again after twenty.
        },
        60_000,
      );
      const [metrics, health] = [await scraped(group), (await answered()).of(group)];
      expect(metrics).toMatchObject(wanted);
      expect(toldBy(health, health.deadLetters)).toEqual(wanted);
      expect(ofInspection((await telling.inspect.group('load', group))!)).toEqual(wanted);
      const { oldestUnhandledAt, members } = await inspected(group);
      expect(metrics.members).toBe(members.length);
      const ageMs = Date.now() - oldestUnhandledAt!;
      expect(Math.abs(metrics.oldest_seconds * 1_000 - ageMs)).toBeLessThan(5_000);
      expect(Math.abs(health.oldestMs - ageMs)).toBeLessThan(5_000);
      // Nothing has moved meanwhile.
      expect(ofInspection(await inspected(group))).toEqual(wanted);
    }

    const billing = await scraped('billing');
    expect(billing.waiting_messages + billing.held_messages).toBe(10_000);
    const told = { running_messages: 37, retrying_messages: 5, dead_letters: 3, members: 2, paused: 0 };
    expect(billing).toMatchObject(told);
    const nothing = { held_messages: 0, running_messages: 0, retrying_messages: 0, dead_letters: 0 };
    expect(await scraped('shipping')).toMatchObject({ waiting_messages: 10_008, ...nothing, paused: 1 });

    const { code, problems } = await answered();
    expect(code).toBe(200);
    const found = problems.map((each: any) => `${each.group}: ${each.problem}, ${each.severity}`).sort();
    expect(found).toEqual([
      'billing: dead-letters, degraded',
      'billing: oldest, degraded',
      'shipping: oldest, degraded',
      'shipping: waiting, degraded',
    ]);
    expect((await answered('/health/down')).code).toBe(503);
  }, 120_000);
});
