import type { Provider } from '@nestjs/common';
import {
  getToken,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
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
  readonly lockWait: Histogram;
  readonly lockHold: Histogram;
  readonly locksLost: Counter;
  readonly connectionUp: Gauge;
}

/** Where the {@link MetricSet} is provided. */
export const METRIC_SET = Symbol('DISCO_BUS_METRIC_SET');

const keys = Object.keys(metricDefinitions) as (keyof MetricSet)[];

/**
 * Providers of the {@link MetricSet} and of each metric under the token that `@InjectMetric(name)` asks for. A metric
 * that the registry holds already is used as it is; a global PrometheusModule's `customMetricPrefix` is honoured.
 */
export function metricProviders(): Provider[] {
  return [
    ...keys.map((key) => metricProvider(metricDefinitions[key])),
    {
      provide: METRIC_SET,
      inject: metricTokens(),
      useFactory: (...metrics: unknown[]) =>
        Object.fromEntries(keys.map((key, index) => [key, metrics[index]])),
    },
  ];
}

/** The token of every metric, in the order of their definition. */
export function metricTokens(): string[] {
  return keys.map((key) => getToken(metricDefinitions[key].name));
}

function metricProvider({ kind, name, help, labelNames, buckets = [] }: MetricDefinition): Provider {
  const options = { name, help, labelNames: [...labelNames] };
  if (kind === 'counter') return makeCounterProvider(options);
  if (kind === 'gauge') return makeGaugeProvider(options);
  return makeHistogramProvider({ ...options, buckets: [...buckets] });
}
