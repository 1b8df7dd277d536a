import type { Provider } from '@nestjs/common';
import type * as prometheusModule from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { type MetricDefinition, metricDefinitions } from './metric-definitions.js';

/** The metrics of the bus as prom-client knows them. Buses and applications of one process share them. */
export interface MetricSet {
  readonly published: Counter;
  readonly processed: Counter;
  readonly processingDuration: Histogram;
  readonly lockOperations: Counter;
  readonly activeSubscriptions: Gauge;
  readonly publishDuration: Histogram;
  readonly retried: Counter;
  readonly deadLettered: Counter;
  readonly dropped: Counter;
  readonly inFlight: Gauge;
  readonly messageBytes: Histogram;
  readonly plainBytes: Counter;
  readonly requestDuration: Histogram;
  readonly handlerAttempts: Counter;
  readonly handlerDuration: Histogram;
  readonly groupWaiting: Gauge;
  readonly groupOldest: Gauge;
  readonly groupHeld: Gauge;
  readonly groupRunning: Gauge;
  readonly groupRetrying: Gauge;
  readonly groupDeadLetters: Gauge;
  readonly groupMembers: Gauge;
  readonly groupPaused: Gauge;
  readonly lockWaiters: Gauge;
  readonly eventLoopDelay: Gauge;
  readonly lockWait: Histogram;
  readonly lockHold: Histogram;
  readonly locksLost: Counter;
  readonly connectionUp: Gauge;
}

/** Where the {@link MetricSet} is provided. */
export const METRIC_SET = Symbol('DISCO_BUS_METRIC_SET');

const keys = Object.keys(metricDefinitions) as (keyof MetricSet)[];

/** What of `@willsoto/nestjs-prometheus` makes providers. It is handed over, as an application may do without it. */
export type MetricMakers = Pick<
  typeof prometheusModule,
  'getToken' | 'makeCounterProvider' | 'makeGaugeProvider' | 'makeHistogramProvider'
>;

/** Providers of the {@link MetricSet} and of each metric under its token. */
export function providersBy(makers: MetricMakers): Provider[] {
  return [
    ...keys.map((key) => metricProvider(makers, metricDefinitions[key])),
    {
      provide: METRIC_SET,
      inject: tokensBy(makers),
      useFactory: (...metrics: unknown[]) =>
        Object.fromEntries(keys.map((key, index) => [key, metrics[index]])),
    },
  ];
}

/** The token of every metric, in the order of their definition. */
export function tokensBy({ getToken }: MetricMakers): string[] {
  return keys.map((key) => getToken(metricDefinitions[key].name));
}

function metricProvider(makers: MetricMakers, definition: MetricDefinition): Provider {
  const { kind, name, help, labelNames, buckets = [] } = definition;
  const options = { name, help, labelNames: [...labelNames] };
  if (kind === 'counter') return makers.makeCounterProvider(options);
  if (kind === 'gauge') return makers.makeGaugeProvider(options);
  return makers.makeHistogramProvider({ ...options, buckets: [...buckets] });
}
