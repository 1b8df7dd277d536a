import { type DynamicModule, Logger, Module } from '@nestjs/common';
import type { PrometheusSink } from '../prometheus/prometheus-sink.js';
import { METRICS_SOURCE } from './disco-bus.tokens.js';
import type { MetricsSource } from './metrics-source.js';

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
  const { loadSink, sinkPackages } = await import('../prometheus/prometheus-sink.js');
  const sink = await loadSink();
  if (sink !== undefined) return prometheusModule(sink);
  new Logger('DiscoBus').log(`No metrics: they need the packages ${sinkPackages.join(' and ')}`);
  return { module: DiscoBusMetricsModule };
}

function prometheusModule({ providers, setToken, tokens, open }: PrometheusSink): DynamicModule {
  const source = {
    provide: METRICS_SOURCE,
    inject: [setToken],
    useFactory: (set: Parameters<typeof open>[0]): MetricsSource => ({ open: () => open(set) }),
  };
  return {
    module: DiscoBusMetricsModule,
    global: true,
    providers: [...providers, source],
    exports: [...tokens, METRICS_SOURCE],
  };
}
