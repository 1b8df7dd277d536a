import type { Counter, Gauge } from 'prom-client';
import type { Metrics, TopicMetrics } from '../metrics/metrics.js';
import type { MetricSet } from './metric-set.js';
import { PrometheusTopicMetrics } from './prometheus-topic.metrics.js';

type LockStatus = Parameters<Metrics['lockOperation']>[1];

/** The connections that each `connection_up` gauge speaks for: several buses and applications share one gauge. */
const connections = new WeakMap<Gauge, Map<PrometheusMetrics, boolean>>();

/**
 * Measures one bus with prom-client. What happens for every message is tallied until the metrics are read. Counters live as long as the process; `close` takes this bus's part out of the
 * gauges. The registry itself is never cleared.
 */
export class PrometheusMetrics implements Metrics {
  private readonly topics = new Map<string, PrometheusTopicMetrics>();
  /** Children that are looked up once: an uncontended lock takes microseconds. */
  private readonly lockOperations = new Map<string, Partial<Record<LockStatus, Counter.Internal>>>();
  private closed = false;

  constructor(private readonly set: MetricSet) {}

  topic(topic: string): TopicMetrics {
    let metrics = this.topics.get(topic);
    if (!metrics) {
      metrics = new PrometheusTopicMetrics(this.set, topic);
      this.topics.set(topic, metrics);
    }
    return metrics;
  }

  lockOperation(operation: string, status: Parameters<Metrics['lockOperation']>[1]): void {
    let counters = this.lockOperations.get(operation);
    if (!counters) {
      counters = {};
      this.lockOperations.set(operation, counters);
    }
    counters[status] ??= this.set.lockOperations.labels(operation, status);
    counters[status].inc();
  }

  lockWaited(seconds: number): void {
    this.set.lockWait.observe(seconds);
  }

  lockHeld(seconds: number): void {
    this.set.lockHold.observe(seconds);
  }

  lockLost(): void {
    this.set.locksLost.inc();
  }

  connection(up: boolean): void {
    if (this.closed) return;
    this.peers().set(this, up);
    this.showConnection();
  }

  /** Takes this bus out of the gauges. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const metrics of this.topics.values()) metrics.close();
    this.peers().delete(this);
    this.showConnection();
  }

  private peers(): Map<PrometheusMetrics, boolean> {
    const known = connections.get(this.set.connectionUp);
    if (known) return known;
    const peers = new Map<PrometheusMetrics, boolean>();
    connections.set(this.set.connectionUp, peers);
    return peers;
  }

  private showConnection(): void {
    const states = [...this.peers().values()];
    this.set.connectionUp.set(states.length > 0 && states.every(Boolean) ? 1 : 0);
  }
}
