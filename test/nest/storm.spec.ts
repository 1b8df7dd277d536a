import { Injectable } from '@nestjs/common';
import {
  type BusLogger,
  DiscoBusModule,
  DiscoBusService,
  type DiscoEvent,
  DiscoSubscribe,
  type LogFields,
  OnDiscoEvent,
} from 'nestjs-disco-bus';
import { until } from '../support/waiting.js';
import { closeApps, startApp } from './support.js';

const MESSAGES = 10_000;
/** What docs/operations/logs.md promises for each event, topic and group. */
const [LINES, WINDOW_MS] = [20, 10_000];

afterEach(closeApps);

@Injectable()
class Orders {
  @DiscoSubscribe('orders.created', { retry: { attempts: 2, backoff: { delay: 1 } }, concurrency: 100 })
  onCreated() {
    throw new Error('db down');
  }
}

@Injectable()
class Pager {
  readonly told = { retry: 0, 'dead-letter': 0 };

  @OnDiscoEvent(['retry', 'dead-letter'])
  page({ type }: DiscoEvent<'retry' | 'dead-letter'>) {
    this.told[type]++;
    throw new Error('the pager is down as well');
  }
}

class Lines implements BusLogger {
  readonly all: LogFields[] = [];
  readonly write = (_: string, fields?: LogFields) => void (fields && this.all.push(fields));
  readonly log = this.write;
  readonly warn = this.write;
  readonly error = this.write;

  of(event: string): LogFields[] {
    return this.all.filter((fields) => fields.event === event);
  }

  /** How many lines of the event were not written, by what the log itself says. */
  leftOut(event: string): number {
    const told = this.all.filter((fields) => fields.event === 'lines-left-out' && fields.of === event);
    return told.reduce((sum, { lines }) => sum + Number(lines), 0);
  }
}

it('10,000 messages that fail write few lines, which say how many were left out; each event is told', async () => {
  const lines = new Lines();
  const startedMs = performance.now();
  const app = await startApp({
    imports: [DiscoBusModule.forRoot({ url: 'memory:', service: 'billing', metrics: false, logger: lines })],
    providers: [Orders, Pager],
  });
  const bus = app.get(DiscoBusService);
  const { told } = app.get(Pager);
  await bus.publishBatch(
    'orders.created',
    Array.from({ length: MESSAGES }, (_, n) => n),
  );
  await until('all are given up', () => told['dead-letter'] === MESSAGES, 60_000);
  await app.close();
  const windows = 1 + Math.ceil((performance.now() - startedMs) / WINDOW_MS);

  expect(told).toEqual({ retry: MESSAGES, 'dead-letter': MESSAGES });
  const happened = {
    'handler-failed': MESSAGES,
    'given-up': MESSAGES,
    'event-listener-failed': 2 * MESSAGES,
  };
  for (const [event, times] of Object.entries(happened)) {
    const written = lines.of(event).length;
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThanOrEqual(LINES * windows);
    expect(written + lines.leftOut(event)).toBe(times);
  }
  const kinds = new Set(lines.all.map(({ event, topic, group }) => `${event} ${topic} ${group}`)).size;
  expect(lines.all.length).toBeLessThanOrEqual((LINES + 1) * kinds * windows);
  expect(lines.all.length).toBeLessThan(MESSAGES / 10);
}, 90_000);
