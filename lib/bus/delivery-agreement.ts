import { ConfigurationError } from '../errors/bus.errors.js';
import { topicMatcher } from '../message/topic-pattern.js';
import type { BusSubscription } from './subscription.js';
import type { ResolvedTopic } from './topic-table.js';

/**
 * Throws ConfigurationError if a live subscription that would have to receive `topic` reads it under another guarantee
 * or on another wire than it is published with: the message would silently never arrive.
 */
export function assertAgreed(
  topic: string,
  { delivery, wire }: Pick<ResolvedTopic, 'delivery' | 'wire'>,
  subscriptions: Iterable<BusSubscription>,
): void {
  for (const { topic: subscribed, policy } of subscriptions) {
    if ((policy.delivery === delivery && policy.wire === wire) || !topicMatcher(subscribed)(topic)) continue;
    const [published, received] =
      policy.delivery === delivery
        ? [`on the wire '${wire}'`, `on the wire '${policy.wire}'`]
        : [delivery, policy.delivery];
    throw new ConfigurationError(
      `"${topic}" is published ${published} but "${subscribed}" is subscribed ${received} on the same bus; name it in one place, the topics table`,
    );
  }
}
