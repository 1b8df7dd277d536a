import type { HandlerMetrics, ProcessedStatus } from '../metrics/metrics.js';
import { CounterTally } from './counter-tally.js';
import { HistogramTally } from './histogram-tally.js';
import type { MetricSet } from './metric-set.js';

/** The measurements of one handler, tallied until the metrics are read. Statuses that never come have no series. */
export class PrometheusHandlerMetrics implements HandlerMetrics {
  private readonly attempts: Partial<Record<ProcessedStatus, CounterTally>> = {};
  private readonly seconds: HistogramTally;

  constructor(
    private readonly set: MetricSet,
    private readonly labels: { readonly topic: string; readonly group: string; readonly handler: string },
  ) {
    this.seconds = new HistogramTally(set.handlerDuration, labels);
  }

  processed(status: ProcessedStatus, seconds: number): void {
    const { topic, group, handler } = this.labels;
    this.attempts[status] ??= new CounterTally(this.set.handlerAttempts, topic, group, handler, status);
    this.attempts[status].add(1);
    this.seconds.observe(seconds);
  }

  /** Hands over what was counted; what comes later is not. */
  close(): void {
    for (const tally of Object.values(this.attempts)) tally.close();
    this.seconds.close();
  }
}
