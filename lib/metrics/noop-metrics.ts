import type { GroupMetrics, HandlerMetrics, Metrics, TopicMetrics } from './metrics.js';

const nothing = () => {};

const topicMetrics: Required<TopicMetrics> = {
  published: nothing,
  processed: nothing,
  retried: nothing,
  deadLettered: nothing,
  dropped: nothing,
  inFlight: nothing,
  subscriptions: nothing,
  requested: nothing,
  plainSize: nothing,
  size: nothing,
};

const handlerMetrics: HandlerMetrics = { processed: nothing };
const groupMetrics: GroupMetrics = { set: nothing };

/** Measures nothing. */
export const noopMetrics: Required<Omit<Metrics, 'topic'>> & {
  topic(topic: string): Required<TopicMetrics>;
} = {
  topic: () => topicMetrics,
  handler: () => handlerMetrics,
  group: () => groupMetrics,
  lockWaiters: nothing,
  lockOperation: nothing,
  lockWaited: nothing,
  lockHeld: nothing,
  lockLost: nothing,
  connection: nothing,
};
