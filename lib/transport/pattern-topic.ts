import { createHash } from 'node:crypto';
import { isTopic } from '../message/topic.js';
import { assertTopicOrPattern, isTopicPattern } from '../message/topic-pattern.js';

/** Leaves room for what stands before a request's topic. */
const LONGEST = 180;
const ESCAPED = 'p:';
const HASHED = 'h:';

/** Where every instance answers, and where one instance is told what it alone is to answer. */
const EVERY = 'nest:all.';
const ONE = 'nest:one.';
const oneTopic = /^nest:one\.[0-9a-f]{32}\.[A-Za-z0-9._:-]{1,180}$/;

/** Longer topics are hashed where they stand behind an instance's name. */
const LONGEST_BEHIND_INSTANCE = 140;

/** Where servers tell that they have come, or are about to go. */
export const NEWS_TOPIC = 'nest:news';

/**
 * The topic of a Nest pattern in its normal form. A topic stands for itself; anything else is written as `p:` and its
 * base64url, or as `h:` and its SHA-256 where that would be too long. Different patterns have different topics.
 */
export function topicOfRoute(route: string): string {
  if (route.length <= LONGEST && isTopic(route) && !isEscaped(route)) return route;
  const escaped = ESCAPED + Buffer.from(route).toString('base64url');
  if (escaped.length <= LONGEST) return escaped;
  return hashed(route);
}

function hashed(route: string): string {
  return HASHED + createHash('sha256').update(route).digest('base64url');
}

/** The topic of what a handler listens to: a pattern with `*` or `>` in it that is a topic pattern stays one. */
export function subscriptionOfRoute(route: string): string {
  return isWildcard(route) ? route : topicOfRoute(route);
}

/** Whether a handler's pattern means several topics. */
export function isWildcard(route: string): boolean {
  if (route.length > LONGEST || !isTopicPattern(route)) return false;
  try {
    return assertTopicOrPattern(route) === route;
  } catch {
    return false;
  }
}

/** Where requests to a topic or topic pattern go that every instance answers. */
export function everyTopic(topicOrPattern: string): string {
  return EVERY + topicOrPattern;
}

/** Where requests go that `instance` alone answers. */
export function instanceTopic(instance: string, topic: string): string {
  const own = topic.length <= LONGEST_BEHIND_INSTANCE ? topic : hashed(topic);
  return `${ONE}${instance}.${own}`;
}

/** The name that all topics of {@link instanceTopic} for `topic` have in metrics. */
export function oneLabel(topic: string): string {
  return ONE + topic;
}

/** Whether `topic` is one that {@link instanceTopic} makes: what a client is told must lead nowhere else. */
export function isInstanceTopic(topic: unknown): topic is string {
  return typeof topic === 'string' && oneTopic.test(topic);
}

/** What a client called the pattern that a topic was made of; the topic itself where that is not kept. */
export function routeOfTopic(topic: string): string {
  const own = topic.startsWith(EVERY) ? topic.slice(EVERY.length) : topic;
  return own.startsWith(ESCAPED) ? Buffer.from(own.slice(ESCAPED.length), 'base64url').toString() : own;
}

function isEscaped(route: string): boolean {
  return route.startsWith(ESCAPED) || route.startsWith(HASHED);
}
