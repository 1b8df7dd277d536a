import type { Gauge } from 'prom-client';
import type { GroupMetrics, GroupNumbers } from '../metrics/metrics.js';
import type { MetricSet } from './metric-set.js';

/** The gauges of one group. They have its series only while this process tells of it. */
export class PrometheusGroupMetrics implements GroupMetrics {
  private readonly gauges: readonly (readonly [gauge: Gauge, read: (numbers: GroupNumbers) => number])[];

  constructor(
    set: MetricSet,
    private readonly topic: string,
    private readonly group: string,
  ) {
    this.gauges = [
      [set.groupWaiting, ({ waiting }) => waiting],
      [set.groupOldest, ({ oldestSeconds }) => oldestSeconds],
      [set.groupHeld, ({ held }) => held],
      [set.groupRunning, ({ running }) => running],
      [set.groupRetrying, ({ retrying }) => retrying],
      [set.groupDeadLetters, ({ deadLetters }) => deadLetters],
      [set.groupMembers, ({ members }) => members],
      [set.groupPaused, ({ paused }) => Number(paused)],
    ];
  }

  set(numbers: GroupNumbers | undefined): void {
    const { topic, group } = this;
    for (const [gauge, read] of this.gauges) {
      if (numbers === undefined) gauge.remove(topic, group);
      else gauge.labels(topic, group).set(read(numbers));
    }
  }
}
