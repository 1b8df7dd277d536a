export { type MetricDefinition, type MetricKind, metricDefinitions } from './metric-definitions.js';
export { metricProviders, metricTokens } from './metric-providers.js';
export { METRIC_SET, type MetricSet } from './metric-set.js';
export { PrometheusMetrics } from './prometheus.metrics.js';
