import type { Counter, Gauge, Histogram } from 'prom-client';
import type { DropReason, ProcessedStatus, TopicMetrics } from '../metrics/metrics.js';
import type { MetricSet } from './metric-set.js';

/** The measurements of one topic, on children of the metrics that are looked up once. */
export class PrometheusTopicMetrics implements TopicMetrics {
  private readonly publishedBy: Record<'success' | 'error', Counter.Internal>;
  private readonly processedBy: Record<ProcessedStatus, Counter.Internal>;
  private readonly publishSeconds: Histogram.Internal<string>;
  private readonly processingSeconds: Histogram.Internal<string>;
  private readonly bytes: Record<'in' | 'out', Histogram.Internal<string>>;
  private readonly retriedTotal: Counter.Internal;
  private readonly running: OwnGauge;
  private readonly subscribed: OwnGauge;

  constructor(
    private readonly set: MetricSet,
    private readonly topic: string,
  ) {
    const published = (status: string) => set.published.labels(topic, status);
    const processed = (status: string) => set.processed.labels(topic, status);
    this.publishedBy = { success: published('success'), error: published('error') };
    this.processedBy = {
      success: processed('success'),
      error: processed('error'),
      panic: processed('panic'),
      timeout: processed('timeout'),
      dead_letter: processed('dead_letter'),
    };
    this.publishSeconds = set.publishDuration.labels(topic);
    this.processingSeconds = set.processingDuration.labels(topic);
    this.bytes = { in: set.messageBytes.labels(topic, 'in'), out: set.messageBytes.labels(topic, 'out') };
    this.retriedTotal = set.retried.labels(topic);
    this.running = new OwnGauge(set.inFlight.labels(topic));
    this.subscribed = new OwnGauge(set.activeSubscriptions.labels(topic));
  }

  published(status: 'success' | 'error', seconds: number): void {
    this.publishedBy[status].inc();
    this.publishSeconds.observe(seconds);
  }

  processed(status: ProcessedStatus, seconds: number): void {
    this.processedBy[status].inc();
    this.processingSeconds.observe(seconds);
  }

  retried(): void {
    this.retriedTotal.inc();
  }

  deadLettered(reason: string): void {
    this.set.deadLettered.labels(this.topic, reason).inc();
  }

  dropped(reason: DropReason): void {
    this.set.dropped.labels(this.topic, reason).inc();
  }

  inFlight(change: number): void {
    this.running.add(change);
  }

  subscriptions(change: number): void {
    this.subscribed.add(change);
  }

  size(direction: 'in' | 'out', bytes: number): void {
    this.bytes[direction].observe(bytes);
  }

  /** Takes its own part out of the gauges; later changes are ignored. */
  close(): void {
    this.running.close();
    this.subscribed.close();
  }
}

/** One bus's part of a gauge that it shares with others. */
class OwnGauge {
  private value = 0;
  private closed = false;

  constructor(private readonly gauge: Gauge.Internal<string>) {}

  add(change: number): void {
    if (this.closed) return;
    this.value += change;
    this.gauge.inc(change);
  }

  close(): void {
    if (this.value !== 0) this.add(-this.value);
    this.closed = true;
  }
}
