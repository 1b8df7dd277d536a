import { isTopicPattern, topicMatcher } from '../message/topic-pattern.js';
import type { CompleteMetrics } from './guarded-metrics.js';

/** Handlers that have metrics of their own. */
const MOST_HANDLERS = 500;

/**
 * `metrics` with one bound for the labels of all topics, published and subscribed alike, and one for those of handlers:
 * further ones share `other`.
 */
export function boundedMetrics(metrics: CompleteMetrics, labels: TopicLabels): CompleteMetrics {
  const handlers = new Set<string>();
  return {
    ...metrics,
    topic: (topic) => metrics.topic(labels.of(topic)),
    handler: (topic, group, name) => {
      const own = `${labels.of(topic)} ${group} ${name}`;
      if (!handlers.has(own) && handlers.size >= MOST_HANDLERS) return metrics.handler(OTHER, OTHER, OTHER);
      handlers.add(own);
      return metrics.handler(labels.of(topic), group, name);
    },
  };
}

/** The label of what is beyond a bound. */
const OTHER = 'other';

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
    return this.known(topic) ?? OTHER;
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
