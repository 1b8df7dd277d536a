import { callGuest, guardedGuest } from '../errors/guest.js';
import type { Metrics, TopicMetrics } from './metrics.js';
import { noopMetrics } from './noop-metrics.js';

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

const methods = ['lockOperation', 'lockWaited', 'lockHeld', 'lockLost', 'connection'] as const;

/** `metrics` as a guest: what it throws changes nothing, and is told once. */
export function guardedMetrics(metrics: Metrics): Metrics {
  if (metrics === noopMetrics) return metrics;
  const topic = (name: string): TopicMetrics => {
    let made: TopicMetrics | undefined;
    callGuest(metrics, 'metrics.topic', () => {
      made = metrics.topic(name);
    });
    return made ? guardedGuest(made, 'metrics.topic', topicMethods, metrics) : noopMetrics.topic(name);
  };
  return { ...guardedGuest(metrics, 'metrics', methods), topic };
}
