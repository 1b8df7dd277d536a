import type { GuaranteeCapabilities } from '../../../driver/capabilities.js';
import type { DeadLetterStore } from '../../../driver/dead-letters.js';
import type { Delivery } from '../../../driver/delivery.js';
import type {
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../../../driver/driver.js';
import type { TopicDissent, TopicUse } from '../../../driver/topic-agreements.js';
import { assertTopicOrPattern, isTopicPattern } from '../../../message/topic-pattern.js';
import { RedisDiagnosis } from '../diagnosis/redis-diagnosis.js';
import { ConsumerRegistry } from './consume/consumer-registry.js';
import { Places } from './consume/subscriptions.js';
import { countMembers, removeGroup } from './group/groups.js';
import { openDeadLetters } from './operate/dead-letters.js';
import { GroupSteering } from './operate/group-steering.js';
import { StreamInspector } from './operate/stream-inspector.js';
import { leaveWatch, takeWatch } from './operate/watch-turns.js';
import { agreeOnTopic, releaseTopics } from './patterns/topic-directory.js';
import { TopicWatch } from './patterns/topic-watch.js';
import { StreamPublisher } from './publish/stream-publisher.js';
import { StreamContext, type StreamsSetup } from './stream-context.js';
import { assertGroup, assertTopic } from './stream-keys.js';

/** What closing may take, beside the time for publishes under way. */
const CLOSE_MS = 2_000;

/** Delivery at least once over Redis Streams. Opens connections of its own when it is first needed. */
export class StreamsEngine {
  static readonly capabilities: GuaranteeCapabilities = {
    patterns: true,
    groups: true,
    delay: true,
    ordered: true,
    backlog: true,
    persistent: true,
    deduplication: true,
    exclusive: true,
    parts: true,
  };

  /** What operators can do. */
  readonly steering: GroupSteering;
  private readonly context: StreamContext;
  private publisher: StreamPublisher | undefined;
  private registry: ConsumerRegistry | undefined;
  private topicWatch: TopicWatch | undefined;

  constructor(setup: StreamsSetup) {
    this.context = new StreamContext(setup);
    this.steering = new GroupSteering(this.context);
  }

  /** Entries that gave way in full topics, since the driver was connected. */
  get dropped(): number {
    return this.publisher?.reports.droppedEntries ?? 0;
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    this.publisher ??= new StreamPublisher(this.context, (...group) => this.removeGroup(...group));
    return this.publisher.publish(topic, frame, options);
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    assertGroup(options.group);
    this.registry ??= new ConsumerRegistry(this.context);
    if (isTopicPattern(topicOrPattern)) {
      const pattern = assertTopicOrPattern(topicOrPattern);
      return this.subscribePattern(this.registry, pattern, options, onDelivery);
    }
    assertTopic(topicOrPattern);
    return this.registry.subscribe(topicOrPattern, options, onDelivery);
  }

  /** Rejects with ConfigurationError if the topic has no such group. */
  async deadLetters(topic: string, group: string): Promise<DeadLetterStore> {
    assertTopic(topic);
    assertGroup(group);
    return openDeadLetters(this.context, topic, group);
  }

  /** Members of the group that say they are alive, by the server's clock; undefined if only members of patterns may be. */
  countMembers(topic: string, group: string): Promise<number | undefined> {
    return countMembers(this.context, topic, group);
  }

  /** @see GroupRemoval.removeGroup */
  async removeGroup(topic: string, group: string): Promise<boolean> {
    assertTopic(topic);
    assertGroup(group);
    await this.registry?.left(topic, group);
    return removeGroup(this.context, topic, group);
  }

  /** What is kept, and who reads it. */
  get inspector(): StreamInspector {
    return new StreamInspector(this.context);
  }

  /** @see WatchTurns.takeWatch */
  takeWatch(what: string, watcher: string, leaseMs: number): Promise<number> {
    return takeWatch(this.context, what, watcher, leaseMs);
  }

  /** @see WatchTurns.leaveWatch */
  leaveWatch(what: string, watcher: string): Promise<void> {
    return leaveWatch(this.context, what, watcher);
  }

  /** A closer look at groups and at the server. */
  get diagnosis(): RedisDiagnosis {
    const { admin: connection, keys, rights } = this.context;
    return new RedisDiagnosis({ connection, keys, rights, openReader: () => this.context.openReader() });
  }

  /** @see TopicAgreements.agreeOn */
  agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined> {
    return agreeOnTopic(this.context, topic, { use, by, holdMs });
  }

  /** @see TopicAgreements.releaseTopics */
  releaseTopics(topics: readonly string[], by: string): Promise<void> {
    return releaseTopics(this.context, topics, by);
  }

  /** Settles what is under way, publishes within `graceMs`, and gives the rest back to its groups. */
  async close(graceMs: number): Promise<void> {
    this.topicWatch?.close();
    await this.publisher?.close(graceMs);
    await this.registry?.close(CLOSE_MS);
    this.context.close();
  }

  /** Ends its connections at once, also while it is being closed. */
  abandon(): void {
    this.context.close();
  }

  /** The topics of the pattern share the places of the subscription. */
  private subscribePattern(
    registry: ConsumerRegistry,
    pattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    this.topicWatch ??= new TopicWatch(this.context);
    const places = new Places(options.maxInFlight);
    return this.topicWatch.subscribe(pattern, options, (topic, startFrom) =>
      registry.subscribe(topic, { ...options, startFrom }, onDelivery, places),
    );
  }
}
