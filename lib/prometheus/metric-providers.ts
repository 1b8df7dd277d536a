import type { Provider } from '@nestjs/common';
import * as makers from '@willsoto/nestjs-prometheus';
import { providersBy, tokensBy } from './metric-set.js';

/**
 * Providers of the {@link MetricSet} and of each metric under the token that `@InjectMetric(name)` asks for. A metric
 * that the registry holds already is used as it is; a global PrometheusModule's `customMetricPrefix` is honoured.
 */
export function metricProviders(): Provider[] {
  return providersBy(makers);
}

/** The token of every metric, in the order of their definition. */
export function metricTokens(): string[] {
  return tokensBy(makers);
}
