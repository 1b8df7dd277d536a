import { ConfigurationError } from '../../errors/bus.errors.js';
import { topicMatcher, topicsOverlap } from '../../message/topic-pattern.js';
import type { ResolvedTopic } from './topic-table.js';

/** A subscription that is live or about to be, as far as others have to agree with it. */
export interface ExpectedSubscription {
  readonly topic: string;
  readonly policy: ResolvedTopic;
  /** Names the handler in errors. */
  readonly name: string;
  /** Whether it shares its group with others of the same bus. */
  readonly shared: boolean;
  /** What its metrics are kept under. */
  readonly label: string;
}

/** The subscriptions of one bus, from the moment they are asked for until they are closed. */
export class ExpectedSubscriptions<Of extends ExpectedSubscription = ExpectedSubscription> {
  private readonly all = new Set<Of>();

  /** In the order in which they were asked for. */
  get list(): readonly Of[] {
    return [...this.all];
  }

  /** Throws ConfigurationError if another one reads an overlapping topic in the same group and not both of them share it. */
  add(wanted: Of): void {
    const rival = wanted.policy.delivery === 'at-least-once' ? this.rivalOf(wanted) : undefined;
    if (rival) throw sameGroup(wanted, rival);
    this.all.add(wanted);
  }

  delete(wanted: Of): void {
    this.all.delete(wanted);
  }

  /**
   * Throws ConfigurationError if a subscription that would have to receive `topic` reads it under another guarantee or on
   * another wire than it is published with: the message would never arrive.
   */
  assertAgree(topic: string, { delivery, wire }: Pick<ResolvedTopic, 'delivery' | 'wire'>): void {
    for (const { topic: subscribed, policy, name } of this.all) {
      if ((policy.delivery === delivery && policy.wire === wire) || !topicMatcher(subscribed)(topic))
        continue;
      const [published, received] =
        policy.delivery === delivery
          ? [`on the wire '${wire}'`, `on the wire '${policy.wire}'`]
          : [delivery, policy.delivery];
      throw new ConfigurationError(
        `"${topic}" is published ${published} but ${name} is subscribed to "${subscribed}" ${received} on the same bus; name it in one place, the topics table`,
      );
    }
  }

  /** What the metrics of the subscription that reads `topic` in `group` are kept under; undefined if there is none. */
  labelOf(topic: string, group: string): string | undefined {
    for (const { topic: subscribed, policy, label } of this.all) {
      if (policy.delivery !== 'at-least-once' || policy.group !== group) continue;
      if (subscribed === topic || topicMatcher(subscribed)(topic)) return label;
    }
    return undefined;
  }

  private rivalOf(wanted: Of): Of | undefined {
    for (const other of this.all) {
      const { policy, topic, shared } = other;
      if (policy.delivery !== 'at-least-once' || policy.group !== wanted.policy.group) continue;
      if (topicsOverlap(topic, wanted.topic) && !(shared && wanted.shared)) return other;
    }
    return undefined;
  }
}

function sameGroup(wanted: ExpectedSubscription, other: ExpectedSubscription): ConfigurationError {
  const topics =
    wanted.topic === other.topic ? `"${wanted.topic}"` : `"${other.topic}" and "${wanted.topic}"`;
  return new ConfigurationError(
    `${other.name} and ${wanted.name} would share the messages of ${topics} in the group "${wanted.policy.group}", each getting a part of them; give each a group of its own, or set shared: true on both`,
  );
}
