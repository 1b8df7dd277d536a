import type { DropReason, ProcessedStatus, RequestStatus, TopicMetrics } from '../metrics/metrics.js';
import { CounterTally } from './counter-tally.js';
import { HistogramTally } from './histogram-tally.js';
import type { MetricSet } from './metric-set.js';

/** The measurements of one topic, tallied until the metrics are read. */
export class PrometheusTopicMetrics implements TopicMetrics {
  private readonly publishedBy: Record<'success' | 'error', CounterTally>;
  private readonly processedBy: Record<ProcessedStatus, CounterTally>;
  private readonly publishSeconds: HistogramTally;
  private readonly processingSeconds: HistogramTally;
  private readonly bytes: Record<'in' | 'out', HistogramTally>;
  private readonly retriedTotal: CounterTally;
  private readonly running: CounterTally;
  private readonly subscribed: CounterTally;
  private readonly plain: CounterTally;
  /** Made with the first of each: most topics are no requests. */
  private readonly requests: Partial<Record<RequestStatus, HistogramTally>> = {};

  constructor(
    private readonly set: MetricSet,
    private readonly topic: string,
  ) {
    const published = (status: string) => new CounterTally(set.published, topic, status);
    const processed = (status: string) => new CounterTally(set.processed, topic, status);
    this.publishedBy = { success: published('success'), error: published('error') };
    this.processedBy = {
      success: processed('success'),
      error: processed('error'),
      panic: processed('panic'),
      timeout: processed('timeout'),
      dead_letter: processed('dead_letter'),
    };
    this.publishSeconds = new HistogramTally(set.publishDuration, { topic });
    this.processingSeconds = new HistogramTally(set.processingDuration, { topic });
    this.bytes = {
      in: new HistogramTally(set.messageBytes, { topic, direction: 'in' }),
      out: new HistogramTally(set.messageBytes, { topic, direction: 'out' }),
    };
    this.retriedTotal = new CounterTally(set.retried, topic);
    this.running = new CounterTally(set.inFlight, topic);
    this.subscribed = new CounterTally(set.activeSubscriptions, topic);
    this.plain = new CounterTally(set.plainBytes, topic);
  }

  published(status: 'success' | 'error', seconds: number): void {
    this.publishedBy[status].add(1);
    this.publishSeconds.observe(seconds);
  }

  processed(status: ProcessedStatus, seconds: number): void {
    this.processedBy[status].add(1);
    this.processingSeconds.observe(seconds);
  }

  retried(): void {
    this.retriedTotal.add(1);
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

  requested(status: RequestStatus, seconds: number): void {
    const { topic, set, requests } = this;
    requests[status] ??= new HistogramTally(set.requestDuration, { topic, status });
    requests[status].observe(seconds);
  }

  plainSize(bytes: number): void {
    this.plain.add(bytes);
  }

  size(direction: 'in' | 'out', bytes: number): void {
    this.bytes[direction].observe(bytes);
  }

  /** Hands over what was counted, and takes its own part out of the gauges; later changes are ignored. */
  close(): void {
    for (const gauge of [this.running, this.subscribed]) gauge.withdraw();
    const counters = [
      ...Object.values(this.publishedBy),
      ...Object.values(this.processedBy),
      this.retriedTotal,
      this.plain,
    ];
    for (const counter of counters) counter.close();
    const requests = Object.values(this.requests);
    const histograms = [
      this.publishSeconds,
      this.processingSeconds,
      this.bytes.in,
      this.bytes.out,
      ...requests,
    ];
    for (const histogram of histograms) histogram.close();
  }
}
