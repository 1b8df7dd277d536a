import { createHash } from 'node:crypto';
import { isTopic } from '../message/topic.js';
import { assertTopicOrPattern, isTopicPattern } from '../message/topic-pattern.js';

/** Leaves room for what stands before a request's topic. */
const LONGEST = 180;
const ESCAPED = 'p:';
const HASHED = 'h:';

/** Requests that one instance answers, and requests that every instance answers. */
const REQUEST_PREFIX = { one: 'nest:rpc.', every: 'nest:all.' } as const;

/** The group that all who answer requests belong to: one of its members gets each request, whatever its service. */
export const RESPONDERS = 'responders';

/**
 * The topic of a Nest pattern in its normal form. A topic stands for itself; anything else is written as `p:` and its
 * base64url, or as `h:` and its SHA-256 where that would be too long. Different patterns have different topics.
 */
export function topicOfRoute(route: string): string {
  if (route.length <= LONGEST && isTopic(route) && !isEscaped(route)) return route;
  const escaped = ESCAPED + Buffer.from(route).toString('base64url');
  if (escaped.length <= LONGEST) return escaped;
  return HASHED + createHash('sha256').update(route).digest('base64url');
}

/** Where a client asks which pattern with wildcards answers a topic. */
export const PATTERN_DIRECTORY = 'nest:patterns';

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

/** Where requests to a topic or topic pattern go. */
export function requestTopic(topicOrPattern: string, mode: 'one' | 'every'): string {
  return REQUEST_PREFIX[mode] + topicOrPattern;
}

/** Whether a topic is the transport's own: the handlers of events do not see those. */
export function isOwnTopic(topic: string): boolean {
  return topic.startsWith('nest:');
}

/** What a client called the pattern that a topic was made of; the topic itself where that is not kept. */
export function routeOfTopic(topic: string): string {
  const own = isOwnTopic(topic) ? topic.slice(REQUEST_PREFIX.one.length) : topic;
  return own.startsWith(ESCAPED) ? Buffer.from(own.slice(ESCAPED.length), 'base64url').toString() : own;
}

function isEscaped(route: string): boolean {
  return route.startsWith(ESCAPED) || route.startsWith(HASHED);
}
