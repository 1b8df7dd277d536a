import type { DeliveryGuarantee } from '../driver/capabilities.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { topicMatcher } from '../message/topic-pattern.js';
import type { BusSubscription } from './subscription.js';

/**
 * Throws ConfigurationError if a live subscription that would have to receive `topic` reads it under another guarantee
 * than it is published with: the message would silently never arrive.
 */
export function assertAgreed(
  topic: string,
  delivery: DeliveryGuarantee,
  subscriptions: Iterable<BusSubscription>,
): void {
  for (const { topic: subscribed, policy } of subscriptions) {
    if (policy.delivery !== delivery && topicMatcher(subscribed)(topic)) {
      throw new ConfigurationError(
        `"${topic}" is published ${delivery} but "${subscribed}" is subscribed ${policy.delivery} on the same bus; name the guarantee in one place, the topics table`,
      );
    }
  }
}
