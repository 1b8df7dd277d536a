export { type MetricDefinition, type MetricKind, metricDefinitions } from './metric-definitions.js';
export { METRIC_SET, type MetricSet, metricProviders, metricTokens } from './metric-set.js';
export { PrometheusMetrics } from './prometheus.metrics.js';
