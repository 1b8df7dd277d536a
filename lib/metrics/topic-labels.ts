import { isTopicPattern, topicMatcher } from '../message/topic-pattern.js';
import type { Metrics, TopicMetrics } from './metrics.js';

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

/** The label of topics beyond the bound. */
export const OTHER_TOPICS = 'other';

/**
 * Chooses the `topic` label of what is published and subscribed: a declared pattern that matches stands for all its
 * topics, any other topic or pattern for itself, until `limit` labels are in use; further ones share `other`.
 */
export class TopicLabels {
  private readonly labels = new Set<string>();
  private readonly patterns: { readonly pattern: string; readonly matches: (topic: string) => boolean }[];

  constructor(
    declared: readonly string[],
    private readonly limit = 500,
  ) {
    for (const topic of declared) this.labels.add(topic);
    this.patterns = declared
      .filter(isTopicPattern)
      .map((pattern) => ({ pattern, matches: topicMatcher(pattern) }));
  }

  of(topic: string): string {
    return this.known(topic) ?? OTHER_TOPICS;
  }

  /** The same; undefined in place of `other`. */
  known(topic: string): string | undefined {
    if (this.labels.has(topic)) return topic;
    const declared = isTopicPattern(topic) ? undefined : this.patterns.find(({ matches }) => matches(topic));
    if (declared) return declared.pattern;
    if (this.labels.size >= this.limit) return undefined;
    this.labels.add(topic);
    return topic;
  }
}
