import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectMetric, PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe, UnrecoverableError } from 'nestjs-disco-bus';
import { metricDefinitions } from 'nestjs-disco-bus/prometheus';
import { type Counter, Counter as PromCounter, register } from 'prom-client';
import { Collector } from '../support/collector.js';
import { pause } from '../support/waiting.js';
import { closeApps, startApp } from './support.js';

let got: Collector<unknown>;
beforeEach(() => {
  got = new Collector();
});
afterEach(async () => {
  await closeApps();
  register.clear();
});

@Injectable()
class Handling {
  @DiscoSubscribe('orders')
  handle(payload: string) {
    got.add(payload);
    if (payload === 'fail') throw new Error('failed');
    if (payload === 'panic') throw new TypeError('a mistake');
  }

  @DiscoSubscribe('stored', { retry: { attempts: 2, backoff: { delay: 1 } } })
  stored(payload: string) {
    got.add(payload);
    if (payload === 'useless') throw new UnrecoverableError('useless');
    if (payload === 'never') throw new Error('never');
  }
}

const bus = (options: object = {}) =>
  DiscoBusModule.forRoot({
    url: 'memory:',
    defaults: { delivery: 'at-most-once' },
    topics: { stored: { delivery: 'at-least-once' } },
    ...options,
  });

/** The value of a sample, or undefined where there is none. */
async function sample(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const metric = await register.getSingleMetric(name)?.get();
  const wanted = Object.entries(labels);
  return metric?.values.find((each) =>
    wanted.every(([label, value]) => (each.labels as Record<string, unknown>)[label] === value),
  )?.value;
}

/** Resolves when the sample has the value. */
async function becomes(value: number, name: string, labels: Record<string, string> = {}): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if ((await sample(name, labels)) === value) return;
    await pause(5);
  }
  throw new Error(`${name} ${JSON.stringify(labels)} is ${await sample(name, labels)}, not ${value}`);
}

describe('the /metrics of the application', () => {
  it('shows what was published and handled, over HTTP', async () => {
    @Controller()
    class Lone {}
    @Module({
      imports: [PrometheusModule.register({ defaultMetrics: { enabled: false } }), bus()],
      providers: [Handling],
      controllers: [Lone],
    })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    try {
      const service = app.get(DiscoBusService);
      await service.publishBatch('orders', ['a', 'b', 'c', 'fail', 'panic']);
      await expect(service.publish('orders', 1n)).rejects.toMatchObject({ code: 'DISCO_CODEC' });
      await service.publishBatch('stored', ['fine', 'useless', 'never']);
      await becomes(2, 'disco_bus_messages_processed_total', { topic: 'stored', status: 'dead_letter' });
      const text = await (await fetch(`${await app.getUrl()}/metrics`)).text();
      const lines = text.split('\n');
      expect(lines).toEqual(
        expect.arrayContaining([
          '# TYPE disco_bus_messages_published_total counter',
          'disco_bus_messages_published_total{topic="orders",status="success"} 5',
          'disco_bus_messages_published_total{topic="stored",status="success"} 3',
          '# TYPE disco_bus_messages_processed_total counter',
          'disco_bus_messages_processed_total{topic="orders",status="success"} 3',
          'disco_bus_messages_processed_total{topic="orders",status="error"} 1',
          'disco_bus_messages_processed_total{topic="orders",status="panic"} 1',
          'disco_bus_messages_processed_total{topic="stored",status="success"} 1',
          'disco_bus_messages_processed_total{topic="stored",status="error"} 1',
          'disco_bus_messages_processed_total{topic="stored",status="dead_letter"} 2',
          '# TYPE disco_bus_message_processing_duration_seconds histogram',
          'disco_bus_message_processing_duration_seconds_bucket{le="+Inf",topic="orders"} 5',
          'disco_bus_message_processing_duration_seconds_count{topic="orders"} 5',
          '# TYPE disco_bus_lock_operations_total counter',
          '# TYPE disco_bus_active_subscriptions gauge',
          'disco_bus_active_subscriptions{topic="orders"} 1',
          'disco_bus_active_subscriptions{topic="stored"} 1',
          'disco_bus_publish_duration_seconds_count{topic="orders"} 5',
          'disco_bus_messages_retried_total{topic="stored"} 1',
          'disco_bus_messages_dead_lettered_total{topic="stored",reason="unrecoverable"} 1',
          'disco_bus_messages_dead_lettered_total{topic="stored",reason="attempts"} 1',
          'disco_bus_messages_dropped_total{topic="orders",reason="failed"} 2',
          'disco_bus_messages_in_flight{topic="orders"} 0',
          'disco_bus_message_bytes_count{topic="orders",direction="in"} 5',
          'disco_bus_message_bytes_count{topic="orders",direction="out"} 5',
          'disco_bus_connection_up 1',
        ]),
      );
    } finally {
      await app.close();
    }
    expect(await sample('disco_bus_active_subscriptions', { topic: 'orders' })).toBe(0);
    expect(await sample('disco_bus_connection_up')).toBe(0);
    expect(await sample('disco_bus_messages_published_total', { topic: 'orders' })).toBe(5);
  });

  it('has the prefix of a global PrometheusModule, and can be injected', async () => {
    @Injectable()
    class Reader {
      constructor(@InjectMetric('disco_bus_messages_published_total') readonly published: Counter) {}
    }
    const prometheus = PrometheusModule.register({
      global: true,
      customMetricPrefix: 'shop',
      defaultMetrics: { enabled: false },
    });
    const app = await startApp({ imports: [bus(), prometheus], providers: [Reader] });
    await app.get(DiscoBusService).publish('orders', 1);
    const { published } = app.get(Reader);
    expect((await published.get()).name).toBe('shop_disco_bus_messages_published_total');
    expect(await sample('shop_disco_bus_messages_published_total', { topic: 'orders' })).toBe(1);
  });

  it('leaves the metrics of others alone', async () => {
    const foreign = new PromCounter({ name: 'foreign_total', help: 'not ours' });
    foreign.inc(3);
    const app = await startApp({ imports: [bus()] });
    await app.close();
    expect(await sample('foreign_total')).toBe(3);
  });
});

describe('several buses and applications of one process', () => {
  it('count together, and each takes only its own part back', async () => {
    const first = await startApp({ imports: [bus()], providers: [Handling] });
    const second = await startApp({ imports: [bus(), bus({ name: 'other' })], providers: [Handling] });
    const subscriptions = () => sample('disco_bus_active_subscriptions', { topic: 'orders' });
    expect(await subscriptions()).toBe(2);
    await first.get(DiscoBusService).publish('orders', 'one');
    await second.get(DiscoBusService).publish('orders', 'two');
    await becomes(2, 'disco_bus_messages_processed_total', { topic: 'orders', status: 'success' });
    await first.close();
    expect(await subscriptions()).toBe(1);
    expect(await sample('disco_bus_connection_up')).toBe(1);
    await second.close();
    expect(await subscriptions()).toBe(0);
    expect(await sample('disco_bus_connection_up')).toBe(0);
  });

  it('a handler that is left behind does not count as running for ever', async () => {
    @Injectable()
    class Endless {
      @DiscoSubscribe('orders')
      handle() {
        got.add('begun');
        return new Promise(() => {});
      }
    }
    const app = await startApp({ imports: [bus({ shutdownTimeout: 20 })], providers: [Endless] });
    await app.get(DiscoBusService).publish('orders', 1);
    await got.has(1);
    expect(await sample('disco_bus_messages_in_flight', { topic: 'orders' })).toBe(1);
    await app.close();
    expect(await sample('disco_bus_messages_in_flight', { topic: 'orders' })).toBe(0);
  });
});

describe('turned off', () => {
  it('registers nothing', async () => {
    const app = await startApp({ imports: [bus({ metrics: false })], providers: [Handling] });
    await app.get(DiscoBusService).publish('orders', 1);
    await got.has(1);
    for (const { name } of Object.values(metricDefinitions))
      expect(register.getSingleMetric(name)).toBeUndefined();
  });
});
