import { randomBytes } from 'node:crypto';
import type { GuaranteeCapabilities } from '../../../driver/capabilities.js';
import type { DeadLetterStore } from '../../../driver/dead-letters.js';
import type { Delivery } from '../../../driver/delivery.js';
import type {
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../../../driver/driver.js';
import type { DriverStatus } from '../../../driver/driver-status.js';
import { newMemberName } from '../../../driver/process-identity.js';
import type { TopicDissent, TopicUse } from '../../../driver/topic-agreements.js';
import { assertTopicOrPattern, isTopicPattern } from '../../../message/topic-pattern.js';
import { RedisDiagnosis } from '../diagnosis/redis-diagnosis.js';
import type { RedisConnections } from '../redis-connections.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { ConsumerRegistry } from './consume/consumer-registry.js';
import { Places } from './consume/places.js';
import { FeatureRights } from './feature-rights.js';
import { AbandonedGroups } from './group/abandoned-groups.js';
import { GroupAdmin } from './group/group-admin.js';
import { TopicUses } from './group/topic-uses.js';
import { StreamInspector } from './inspect/stream-inspector.js';
import { PatternSubscription } from './patterns/pattern-subscription.js';
import { TopicDirectory } from './patterns/topic-directory.js';
import { TopicWatch } from './patterns/topic-watch.js';
import { PublishReports } from './publish/publish-reports.js';
import { StreamPublisher } from './publish/stream-publisher.js';
import { TopicAnnouncements } from './publish/topic-announcements.js';
import { openDeadLetters } from './redis-dead-letters.js';
import { GroupSteering } from './steer/group-steering.js';
import { persistFor } from './stream-connection.js';
import { StreamConnections } from './stream-connections.js';
import { StreamKeys } from './stream-keys.js';
import { assertGroup, assertTopic } from './stream-names.js';

/** What closing may take, beside the time for publishes under way. */
const CLOSE_MS = 2_000;

/** What a {@link StreamsEngine} is built with. */
export interface StreamsSetup {
  readonly options: ResolvedRedisOptions;
  readonly connections: RedisConnections;
  /** The driver's publishing connection; not used in a Cluster. */
  readonly publishLink: RedisLink;
  readonly prefix: string;
  readonly service: string | undefined;
  readonly maxFrameBytes: number;
  readonly status: (status: DriverStatus) => void;
}

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

  private readonly keys: StreamKeys;
  private readonly connections: StreamConnections;
  private publisher: StreamPublisher | undefined;
  private registry: ConsumerRegistry | undefined;
  private topicWatch: TopicWatch | undefined;
  private readonly rights = new FeatureRights();
  private readonly reports: PublishReports;
  private readonly admin: GroupAdmin;
  private readonly uses: TopicUses;
  private inspecting: StreamInspector | undefined;
  /** What operators can do. */
  readonly steering: GroupSteering;

  constructor(private readonly setup: StreamsSetup) {
    const { streams } = setup.options;
    const { rights } = this;
    this.connections = new StreamConnections(setup);
    this.keys = new StreamKeys(setup.prefix);
    const { keys } = this;
    this.reports = new PublishReports(keys, streams, setup.status);
    this.admin = new GroupAdmin({ keys, rights, unreadMs: streams.unread.maxAgeMs });
    this.uses = new TopicUses(keys, rights);
    const connection = () => this.connections.admin;
    this.steering = new GroupSteering({ connection, keys, rights, unreadMs: streams.unread.maxAgeMs });
  }

  /** Entries that gave way in full topics, since the driver was connected. */
  get dropped(): number {
    return this.reports.droppedEntries;
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    this.publisher ??= this.openPublisher();
    return this.publisher.publish(topic, frame, options);
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    assertGroup(options.group);
    this.registry ??= this.openRegistry();
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
    const keys = this.keys.group(topic, group);
    return openDeadLetters(this.connections.admin, this.rights, keys, { topic, group });
  }

  /** Members of the group that say they are alive, by the server's clock; undefined if only members of patterns may be. */
  countMembers(topic: string, group: string): Promise<number | undefined> {
    return this.admin.countMembers(this.connections.publish, topic, group);
  }

  /** @see GroupRemoval.removeGroup */
  async removeGroup(topic: string, group: string): Promise<boolean> {
    assertTopic(topic);
    assertGroup(group);
    await this.registry?.left(topic, group);
    return this.admin.removeGroup(this.connections.admin, topic, group);
  }

  /** What is kept, and who reads it. */
  get inspector(): StreamInspector {
    const { keys, rights, connections } = this;
    this.inspecting ??= new StreamInspector(connections.admin, keys, rights);
    return this.inspecting;
  }

  /** A closer look at groups and at the server. */
  get diagnosis(): RedisDiagnosis {
    const { keys, rights, connections } = this;
    const openReader = () => connections.openReader();
    return new RedisDiagnosis({ connection: connections.admin, keys, rights, openReader });
  }

  /** @see TopicAgreements.agreeOn */
  async agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined> {
    const { publish: connection, clustered: waits } = this.connections;
    return this.uses.agreeOn({ connection, waits }, topic, { use, by, holdMs });
  }

  /** @see TopicAgreements.releaseTopics */
  releaseTopics(topics: readonly string[], by: string): Promise<void> {
    return this.uses.releaseTopics(this.connections.publish, topics, by);
  }

  /** Settles what is under way, publishes within `graceMs`, and gives the rest back to its groups. */
  async close(graceMs: number): Promise<void> {
    this.topicWatch?.close();
    await this.publisher?.close(graceMs);
    await this.registry?.close(CLOSE_MS);
    this.connections.close();
  }

  /** Ends its connections at once, also while it is being closed. */
  abandon(): void {
    this.connections.close();
  }

  /** The topics share the places of the subscription. */
  private async subscribePattern(
    registry: ConsumerRegistry,
    pattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const { admin } = this.connections;
    const known = this.rights.before('patterns', [this.keys.patterns, this.keys.topics], async () => {});
    await persistFor(admin, known, this.setup.options.connectTimeoutMs);
    this.topicWatch ??= this.openWatch();
    const { topicWatch: watch } = this;
    const places = new Places(options.maxInFlight);
    const subscription = new PatternSubscription({
      pattern,
      group: options.group,
      subscribe: (topic, startFrom) =>
        registry.subscribe(topic, { ...options, startFrom }, onDelivery, places),
      failed: (error) => this.setup.status({ type: 'error', error }),
      onClose: (self) => watch.remove(self),
    });
    try {
      await watch.add(subscription, options.startFrom);
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  private openPublisher(): StreamPublisher {
    const { options } = this.setup;
    const { publish, clustered } = this.connections;
    return new StreamPublisher({
      connection: publish,
      keys: this.keys,
      options: options.streams,
      announcements: new TopicAnnouncements(new TopicDirectory(publish, this.keys)),
      abandoned: new AbandonedGroups({
        connection: publish,
        keys: this.keys,
        ...options.streams.abandoned,
        status: this.setup.status,
        remove: (topic, group) => this.removeGroup(topic, group),
      }),
      bufferLimit: options.bufferLimit,
      bySlot: clustered,
      name: randomBytes(9).toString('base64url'),
      reports: this.reports,
    });
  }

  private openRegistry(): ConsumerRegistry {
    const { options, service = 'disco', maxFrameBytes, status } = this.setup;
    const { keys } = this;
    const { admin, clustered } = this.connections;
    const name = newMemberName(service);
    const directory = new TopicDirectory(admin, keys);
    const openReader = () => this.connections.openReader();
    const { streams, connectTimeoutMs } = options;
    const own = { admin, clustered, keys, name, service, directory, openReader };
    return new ConsumerRegistry({ ...own, options: streams, connectTimeoutMs, maxFrameBytes, status });
  }

  private openWatch(): TopicWatch {
    const { connectTimeoutMs, streams } = this.setup.options;
    const { connections, keys } = this;
    const directory = new TopicDirectory(connections.admin, keys);
    const openNews = connections.openNews.bind(connections, keys.topicNews);
    return new TopicWatch({ directory, periodMs: streams.topicDiscoveryMs, connectTimeoutMs, openNews });
  }
}
