import type { Counter, Gauge } from 'prom-client';
import type { GroupMetrics, HandlerMetrics, Metrics, TopicMetrics } from '../metrics/metrics.js';
import { CounterTally } from './counter-tally.js';
import { EventLoopDelay } from './event-loop-delay.js';
import type { MetricSet } from './metric-set.js';
import { PrometheusGroupMetrics } from './prometheus-group.metrics.js';
import { PrometheusHandlerMetrics } from './prometheus-handler.metrics.js';
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
  private readonly handlers = new Map<string, PrometheusHandlerMetrics>();
  private readonly groups = new Map<string, PrometheusGroupMetrics>();
  private readonly waiting: CounterTally;
  private readonly leaveEventLoop: () => void;
  private closed = false;

  constructor(private readonly set: MetricSet) {
    this.waiting = new CounterTally(set.lockWaiters);
    this.leaveEventLoop = EventLoopDelay.watch(set.eventLoopDelay);
  }

  topic(topic: string): TopicMetrics {
    let metrics = this.topics.get(topic);
    if (!metrics) {
      metrics = new PrometheusTopicMetrics(this.set, topic);
      this.topics.set(topic, metrics);
    }
    return metrics;
  }

  handler(topic: string, group: string, handler: string): HandlerMetrics {
    const name = `${topic} ${group} ${handler}`;
    let metrics = this.handlers.get(name);
    if (!metrics) {
      metrics = new PrometheusHandlerMetrics(this.set, { topic, group, handler });
      this.handlers.set(name, metrics);
    }
    return metrics;
  }

  group(topic: string, group: string): GroupMetrics {
    const name = `${topic} ${group}`;
    let metrics = this.groups.get(name);
    if (!metrics) {
      metrics = new PrometheusGroupMetrics(this.set, topic, group);
      this.groups.set(name, metrics);
    }
    return metrics;
  }

  lockWaiters(change: number): void {
    this.waiting.add(change);
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
    for (const metrics of this.handlers.values()) metrics.close();
    for (const metrics of this.groups.values()) metrics.set(undefined);
    this.waiting.withdraw();
    this.leaveEventLoop();
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
