import { type DynamicModule, Logger, Module } from '@nestjs/common';
import type * as prometheusSink from '../prometheus/index.js';
import { METRICS_SOURCE } from './disco-bus.tokens.js';
import type { MetricsSource } from './metrics-source.js';
import { isMissingPackage } from './optional-package.js';

const packages = ['prom-client', '@willsoto/nestjs-prometheus'];

/**
 * Provides the metrics to the whole application, so that `@InjectMetric` finds them. It is global because a dynamic
 * module cannot re-export a module that is still loading.
 */
@Module({})
export class DiscoBusMetricsModule {
  /** Loads the Prometheus sink, once per process. Without its packages: an empty module, and one line in the log. */
  static load(): Promise<DynamicModule> {
    loaded ??= load();
    return loaded;
  }
}

let loaded: Promise<DynamicModule> | undefined;

async function load(): Promise<DynamicModule> {
  try {
    return prometheusModule(await import('../prometheus/index.js'));
  } catch (error) {
    if (!isMissingPackage(error, packages)) throw error;
    new Logger('DiscoBus').log(`No metrics: they need the packages ${packages.join(' and ')}`);
    return { module: DiscoBusMetricsModule };
  }
}

function prometheusModule(prometheus: typeof prometheusSink): DynamicModule {
  const source = {
    provide: METRICS_SOURCE,
    inject: [prometheus.METRIC_SET],
    useFactory: (set: prometheusSink.MetricSet): MetricsSource => ({
      open: () => new prometheus.PrometheusMetrics(set),
    }),
  };
  return {
    module: DiscoBusMetricsModule,
    global: true,
    providers: [...prometheus.metricProviders(), source],
    exports: [...prometheus.metricTokens(), METRICS_SOURCE],
  };
}
