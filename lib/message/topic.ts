import { TopicEmptyError, TopicInvalidError } from '../errors/message.errors.js';

/** What a topic may look like. */
export const topicGrammar = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/;

const inbox = /^reply:[0-9a-f]{32}$/;

/**
 * Whether a topic or topic pattern is the bus's own: anything below `disco:` and `nest:`, and the reply inboxes. No caller
 * publishes or subscribes to those, and no pattern with a wildcard in front means them.
 */
export function isOwnTopic(name: string): boolean {
  return name.startsWith('nest:') || name.startsWith('disco:') || inbox.test(name);
}

/** Returns `topic` if it is one; throws {@link TopicEmptyError} or {@link TopicInvalidError}. */
export function assertTopic(topic: unknown): string {
  if (topic === '' || topic === undefined || topic === null) throw new TopicEmptyError();
  if (typeof topic !== 'string' || !topicGrammar.test(topic)) {
    throw new TopicInvalidError(
      `${told(topic)} is not a topic: 1 to 200 letters, digits, ".", "_", ":" or "-", the first a letter or digit`,
    );
  }
  return assertNotOwn(topic);
}

/** Returns `name`; throws {@link TopicInvalidError} for one of the bus's own. */
export function assertNotOwn(name: string): string {
  if (!isOwnTopic(name)) return name;
  throw new TopicInvalidError(`The topic ${told(name)} is reserved for the bus itself`);
}

/** Whether `name` is what {@link assertTopic} accepts; for the paths where an error would be too dear. */
export function isTopic(name: string): boolean {
  return topicGrammar.test(name) && !isOwnTopic(name);
}

/** A value in quotes, short and free of control characters, so that it can stand in an error or a log line. */
function told(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : `A value of type ${typeof value}`;
}
