import { ConfigurationError } from '../../../errors/bus.errors.js';
import { TopicInvalidError } from '../../../errors/message.errors.js';
import { topicGrammar } from '../../../message/topic.js';

/** Throws TopicInvalidError for what no stream is named after; the bus's own topics are allowed. */
export function assertTopic(topic: string): void {
  if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
}

/** Throws ConfigurationError for what no group can be called. */
export function assertGroup(group: unknown): void {
  if (typeof group === 'string' && /^[\x21-\x7e]{1,200}$/.test(group)) return;
  throw new ConfigurationError('A group must have 1 to 200 printable ASCII characters and no space');
}
