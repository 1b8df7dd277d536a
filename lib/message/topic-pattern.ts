import { TopicInvalidError } from '../errors/message.errors.js';
import { assertNotOwn, assertTopic, isOwnTopic } from './topic.js';

/** Tells whether a topic is one of those meant. */
export type TopicMatcher = (topic: string) => boolean;

const segmentGrammar = /^[A-Za-z0-9._:-]+$/;

/** Whether `name` has a wildcard: `*` for one dot-separated segment, or `>` as the last for one or more. */
export function isTopicPattern(name: string): boolean {
  return name.includes('*') || name.includes('>');
}

/** Returns `name` if it is a topic or a topic pattern, and none of the bus's own; throws TopicEmptyError or TopicInvalidError. */
export function assertTopicOrPattern(name: unknown): string {
  if (typeof name !== 'string' || !isTopicPattern(name)) return assertTopic(name);
  return assertNotOwn(assertPattern(name));
}

/** Returns `name` if it is a well-formed topic pattern; throws TopicInvalidError. */
export function assertPattern(name: string): string {
  const segments = name.split('.');
  const wellFormed = segments.every(
    (segment, index) =>
      segment === '*' || (segment === '>' && index === segments.length - 1) || segmentGrammar.test(segment),
  );
  if (!wellFormed || name.length > 200) {
    throw new TopicInvalidError(
      `${JSON.stringify(name.slice(0, 60))} is not a topic pattern: "*" stands for one whole segment, ">" for the rest and only at the end`,
    );
  }
  return name;
}

/** The matcher of a topic or topic pattern. It runs in time linear in the topic's length. The bus's own topics match no wildcard in front. */
export function topicMatcher(topicOrPattern: string): TopicMatcher {
  if (!isTopicPattern(topicOrPattern)) return (topic) => topic === topicOrPattern;
  const wanted = topicOrPattern.split('.');
  const open = wanted.at(-1) === '>';
  if (open) wanted.pop();
  const mayMeanOwn = wanted.length > 0 && wanted[0] !== '*';
  return (topic) => {
    if (!mayMeanOwn && isOwnTopic(topic)) return false;
    const segments = topic.split('.');
    if (open ? segments.length <= wanted.length : segments.length !== wanted.length) return false;
    return wanted.every((segment, index) => segment === '*' || segment === segments[index]);
  };
}

/** Whether some topic is meant by both: each of the two is a topic or a topic pattern. */
export function topicsOverlap(one: string, other: string): boolean {
  return segmentsOverlap(one.split('.'), other.split('.'));
}

function segmentsOverlap(one: readonly string[], other: readonly string[]): boolean {
  for (let index = 0; ; index++) {
    const [left, right] = [one[index], other[index]];
    if (left === undefined || right === undefined) return left === right;
    if (left === '>' || right === '>') return true;
    if (left !== right && left !== '*' && right !== '*') return false;
  }
}
