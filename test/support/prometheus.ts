import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type MetricSet, metricDefinitions, PrometheusMetrics } from '../../lib/prometheus/index.js';

/** The sink of an application without Nest, with a registry of its own. */
export function prometheus(): { registry: Registry; metrics: PrometheusMetrics } {
  const registry = new Registry();
  const made = Object.entries(metricDefinitions).map(([key, { kind, labelNames, buckets, ...named }]) => {
    const options = { ...named, labelNames: [...labelNames], registers: [registry] };
    if (kind === 'counter') return [key, new Counter(options)];
    if (kind === 'gauge') return [key, new Gauge(options)];
    return [key, new Histogram({ ...options, buckets: [...(buckets ?? [])] })];
  });
  return { registry, metrics: new PrometheusMetrics(Object.fromEntries(made) as unknown as MetricSet) };
}
