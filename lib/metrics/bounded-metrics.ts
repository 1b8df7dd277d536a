import type { Metrics, TopicMetrics } from './metrics.js';
import type { TopicLabels } from './topic-labels.js';

/** `metrics` with one bound for the labels of all topics, published and subscribed alike. */
export function boundedMetrics(metrics: Metrics, labels: TopicLabels): Metrics {
  return {
    topic: (topic): TopicMetrics => metrics.topic(labels.of(topic)),
    lockOperation: (operation, status) => metrics.lockOperation(operation, status),
    lockWaited: (seconds) => metrics.lockWaited(seconds),
    lockHeld: (seconds) => metrics.lockHeld(seconds),
    lockLost: () => metrics.lockLost(),
    connection: (up) => metrics.connection(up),
  };
}
