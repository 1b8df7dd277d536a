import { guardedGuest, partOfGuest } from '../errors/guest.js';
import type { GroupMetrics, HandlerMetrics, Metrics, TopicMetrics } from './metrics.js';
import { noopMetrics } from './noop-metrics.js';

/** A sink with every method there. */
export interface CompleteMetrics extends Required<Metrics> {
  topic(topic: string): Required<TopicMetrics>;
}

const topicMethods = [
  'published',
  'processed',
  'retried',
  'deadLettered',
  'dropped',
  'inFlight',
  'subscriptions',
  'size',
] as const satisfies readonly (keyof TopicMetrics)[];

/** Sinks may do without them. */
const moreOfTopics = ['requested', 'plainSize'] as const satisfies readonly (keyof TopicMetrics)[];

const methods = ['lockOperation', 'lockWaited', 'lockHeld', 'lockLost', 'connection'] as const;

/** `metrics` as a guest: what it throws or answers wrongly changes nothing, and is told once. What it does without does nothing. */
export function guardedMetrics(metrics: Metrics): CompleteMetrics {
  if (metrics === noopMetrics) return noopMetrics;
  const topic = (name: string): Required<TopicMetrics> => {
    const own = partOfGuest<TopicMetrics>(metrics, 'metrics.topic', 'published', () => metrics.topic(name));
    // Another one than that of who measures nothing at all: its handlers are measured.
    if (!own) return { ...noopMetrics.topic(name) };
    const more = moreOfTopics.filter((each) => own[each] !== undefined);
    return {
      ...noopMetrics.topic(name),
      ...guardedGuest(own, 'metrics.topic', [...topicMethods, ...more], metrics),
    };
  };
  const handler = (...labels: [topic: string, group: string, handler: string]): HandlerMetrics => {
    const make = metrics.handler && (() => metrics.handler!(...labels));
    const own = make && partOfGuest<HandlerMetrics>(metrics, 'metrics.handler', 'processed', make);
    return own
      ? guardedGuest(own, 'metrics.handler', ['processed'], metrics)
      : noopMetrics.handler(...labels);
  };
  const group = (...labels: [topic: string, group: string]): GroupMetrics => {
    const make = metrics.group && (() => metrics.group!(...labels));
    const own = make && partOfGuest<GroupMetrics>(metrics, 'metrics.group', 'set', make);
    return own ? guardedGuest(own, 'metrics.group', ['set'], metrics) : noopMetrics.group(...labels);
  };
  const waiters = metrics.lockWaiters ? guardedGuest(metrics, 'metrics', ['lockWaiters']) : noopMetrics;
  const { lockWaiters } = waiters as Required<Metrics>;
  return { ...guardedGuest(metrics, 'metrics', methods), lockWaiters, topic, handler, group };
}
