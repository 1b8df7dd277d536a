import type { Metrics, TopicMetrics } from './metrics.js';

const nothing = () => {};

const topicMetrics: TopicMetrics = {
  published: nothing,
  processed: nothing,
  retried: nothing,
  deadLettered: nothing,
  dropped: nothing,
  inFlight: nothing,
  subscriptions: nothing,
  size: nothing,
};

/** Measures nothing. */
export const noopMetrics: Metrics = {
  topic: () => topicMetrics,
  lockOperation: nothing,
  lockWaited: nothing,
  lockHeld: nothing,
  lockLost: nothing,
  connection: nothing,
};
