import type { Metrics } from '../metrics/metrics.js';

/** A sink that belongs to one bus. */
export interface OwnedMetrics extends Metrics {
  /** Takes the bus's part out of what is shared. Idempotent. */
  close(): void;
}

/** Makes a sink for each bus. */
export interface MetricsSource {
  open(): OwnedMetrics;
}
