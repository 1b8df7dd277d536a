import type { Provider } from '@nestjs/common';
import { isMissingPackage } from '../errors/missing-package.js';
import { METRIC_SET, type MetricMakers, type MetricSet, providersBy, tokensBy } from './metric-set.js';
import { PrometheusMetrics } from './prometheus.metrics.js';

/** What an application provides for its metrics. */
export interface PrometheusSink {
  /** Of the {@link MetricSet}, under `setToken`, and of each metric. */
  readonly providers: Provider[];
  readonly setToken: symbol;
  readonly tokens: string[];
  /** Metrics of one bus, written to `set`. */
  open(set: MetricSet): PrometheusMetrics;
}

/** The packages that the sink needs. */
export const sinkPackages = ['prom-client', '@willsoto/nestjs-prometheus'] as const;

/** The sink; undefined where its packages are not installed. */
export async function loadSink(): Promise<PrometheusSink | undefined> {
  const makers = await loadMakers();
  return (
    makers && {
      providers: providersBy(makers),
      setToken: METRIC_SET,
      tokens: tokensBy(makers),
      open: (set) => new PrometheusMetrics(set),
    }
  );
}

/** The package's name is written out, so that a bundler takes it in, and in a `try`, so that a bundler goes on without it. */
async function loadMakers(): Promise<MetricMakers | undefined> {
  try {
    return await import('@willsoto/nestjs-prometheus');
  } catch (error) {
    if (!isMissingPackage(error, sinkPackages)) throw error;
    return undefined;
  }
}
