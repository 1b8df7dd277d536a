import type { DeliveryGuarantee } from './capabilities.js';
import type { DiscoDriver } from './driver.js';

/** How a topic is used: everybody who publishes or reads it has to use it so. */
export interface TopicUse {
  readonly delivery: DeliveryGuarantee;
  /** By the topic's bare name, for the programs of others. @default false */
  readonly bare?: boolean;
}

/** Whether two uses agree. */
export function isSameUse(one: TopicUse, other: TopicUse): boolean {
  return one.delivery === other.delivery && (one.bare === true) === (other.bare === true);
}

/** Who uses a topic otherwise. */
export interface TopicDissent extends TopicUse {
  /** Names, each to be read behind "used by"; some of them where they are many. */
  readonly by: readonly string[];
}

/** A driver whose server keeps how each topic is used, so that those who do not agree hear of each other. */
export interface TopicAgreements {
  /**
   * Resolves with who uses `topic` otherwise than `use`, and otherwise with undefined, having noted that `by` uses it so for
   * `holdMs` from now on, unless that is 0. Of two that contradict each other at the same time one is refused. What is
   * stored of a topic, and the groups that read it, count as its use at least once.
   */
  agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined>;
  /** `by` does not use these topics any more. */
  releaseTopics(topics: readonly string[], by: string): Promise<void>;
}

/** Whether the driver's server keeps how topics are used. */
export function offersTopicAgreements(driver: DiscoDriver): driver is DiscoDriver & TopicAgreements {
  const { agreeOn, releaseTopics } = driver as Partial<TopicAgreements>;
  return typeof agreeOn === 'function' && typeof releaseTopics === 'function';
}
