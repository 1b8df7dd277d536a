import type { Metrics } from '../../../lib/metrics/metrics.js';
import { noopMetrics } from '../../../lib/metrics/noop-metrics.js';

/** Metrics that keep the labels they were asked for. */
export function recordingMetrics(): { metrics: Metrics; labels: Set<string> } {
  const labels = new Set<string>();
  const topic = (label: string) => {
    labels.add(label);
    return noopMetrics.topic(label);
  };
  return { metrics: { ...noopMetrics, topic }, labels };
}
