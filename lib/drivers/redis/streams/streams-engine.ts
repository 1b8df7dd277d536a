import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Cluster, Redis } from 'ioredis';
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
import { ToldOnce } from '../../../driver/told-once.js';
import type { TopicDissent, TopicUse } from '../../../driver/topic-agreements.js';
import { ConfigurationError } from '../../../errors/bus.errors.js';
import { TopicInvalidError } from '../../../errors/message.errors.js';
import { topicGrammar } from '../../../message/topic.js';
import { assertTopicOrPattern, isTopicPattern } from '../../../message/topic-pattern.js';
import type { RedisConnections } from '../redis-connections.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { ConsumerRegistry } from './consume/consumer-registry.js';
import { Places } from './consume/places.js';
import { FeatureRights } from './feature-rights.js';
import { AbandonedGroups } from './group/abandoned-groups.js';
import { PatternSubscription } from './patterns/pattern-subscription.js';
import { TopicDirectory } from './patterns/topic-directory.js';
import { TopicWatch } from './patterns/topic-watch.js';
import { StreamPublisher } from './publish/stream-publisher.js';
import { TopicAnnouncements } from './publish/topic-announcements.js';
import { openDeadLetters } from './redis-dead-letters.js';
import { agreementScript } from './scripts/agreement-script.js';
import { censusScript } from './scripts/census-script.js';
import { removeGroupScript } from './scripts/remove-group-script.js';
import { persistFor, type StreamConnection } from './stream-connection.js';
import { StreamConnections } from './stream-connections.js';
import { StreamKeys } from './stream-keys.js';
import { StreamScript } from './stream-script.js';

/** What closing may take, beside the time for publishes under way. */
const CLOSE_MS = 2_000;
/** There is room again when nothing was refused for so long. */
const ROOM_MS = 1_000;
/** Topics without a group that are remembered as told. */
const UNREAD_TOLD = 10_000;
const census = new StreamScript(censusScript);
const agreement = new StreamScript(agreementScript);
const groupRemoval = new StreamScript(removeGroupScript);
/** How long a removal may take, with all waiting for a connection. */
const REMOVAL_MS = 5_000;
/** How a use is written: the scripts compare the letters. */
const letters = { least: 'L', most: 'M', bare: 'B' } as const;
/** A Cluster has found itself within this, or is not asked how a topic is used. */
const CLUSTER_READY_MS = 2_000;
/** So many topics are released in one turn. */
const RELEASED_TOGETHER = 1_000;

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
  private droppedEntries = 0;
  private full = false;
  private refusedMs = 0;
  private readonly unread = new ToldOnce(UNREAD_TOLD);

  constructor(private readonly setup: StreamsSetup) {
    this.connections = new StreamConnections(setup);
    this.keys = new StreamKeys(setup.prefix);
  }

  /** Entries that gave way in full topics, since the driver was connected. */
  get dropped(): number {
    return this.droppedEntries;
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
    if (!topicGrammar.test(topicOrPattern)) throw new TopicInvalidError('That is not a topic');
    return this.registry.subscribe(topicOrPattern, options, onDelivery);
  }

  /** Rejects with ConfigurationError if the topic has no such group. */
  async deadLetters(topic: string, group: string): Promise<DeadLetterStore> {
    if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
    assertGroup(group);
    return openDeadLetters(this.connections.admin, this.rights, this.keys.group(topic, group), topic, group);
  }

  /** Members of the group that say they are alive, by the server's clock; undefined if only members of patterns may be. */
  async countMembers(topic: string, group: string): Promise<number | undefined> {
    const { members } = this.keys.group(topic, group);
    const { publish } = this.connections;
    const ask = (client: Redis | Cluster) => census.run(client, [members], []);
    const count = Number(
      await publish.run(this.rights.before('removal', [members, this.keys.patterns], ask)),
    );
    if (count > 0) return count;
    return (await this.directory(publish).hasPatternFor(topic, group)) ? undefined : 0;
  }

  /** @see GroupRemoval.removeGroup */
  async removeGroup(topic: string, group: string): Promise<boolean> {
    if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
    assertGroup(group);
    const { stream, members, later, laterBodies, retry, state, delayed, bodies, dead, parts } =
      this.keys.group(topic, group);
    await this.registry?.left(topic, group);
    const shared = [stream, members, `${stream}:read`, later, laterBodies];
    const keys = [...shared, retry, state, delayed, bodies, dead, parts];
    const { admin } = this.connections;
    const { maxAgeMs } = this.setup.options.streams.unread;
    const remove = (client: Redis | Cluster) => groupRemoval.run(client, keys, [group, maxAgeMs]);
    const ask = this.rights.before('removal', [...keys, this.keys.topics], remove);
    const [there, streamGone] = (await persistFor(admin, ask, REMOVAL_MS)) as [number, number];
    if (there < 0) throw new ConfigurationError(`The group "${group}" of "${topic}" has live members`);
    if (streamGone === 1) await admin.run((client) => client.zrem(this.keys.topics, topic));
    return there === 1;
  }

  /** @see TopicAgreements.agreeOn */
  async agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined> {
    const keys = [this.keys.uses(topic), this.keys.topic(topic).stream];
    const args = [letterOf(use), by, Math.ceil(holdMs)];
    const { publish, clustered } = this.connections;
    const agree = (client: Redis | Cluster) => agreement.run(client, keys, args);
    const ask = this.rights.before('agreements', keys, agree);
    // The client of a Cluster is made with the first question, and looks for its nodes.
    const asked = clustered ? persistFor(publish, ask, CLUSTER_READY_MS) : publish.run(ask);
    const others = (await asked) as string[];
    return others.length === 0 ? undefined : dissent(others);
  }

  /** @see TopicAgreements.releaseTopics */
  async releaseTopics(topics: readonly string[], by: string): Promise<void> {
    const members = Object.values(letters).map((letter) => `${letter} ${by}`);
    const { publish } = this.connections;
    for (let index = 0; index < topics.length; index += RELEASED_TOGETHER) {
      const some = topics.slice(index, index + RELEASED_TOGETHER).map((topic) => this.keys.uses(topic));
      await publish.run((client) => Promise.all(some.map((key) => client.zrem(key, ...members))));
    }
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
    const known = this.rights.before('patterns', [this.keys.patterns, this.keys.topics], allowed);
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
      announcements: new TopicAnnouncements(this.directory(publish)),
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
      dropped: (stream, entries) => this.tellDropped(stream, entries),
      unread: (stream) => this.tellUnread(stream),
      hindered: (error) => this.setup.status({ type: 'error', error }),
      full: (full) => this.tellFull(full),
    });
  }

  private openRegistry(): ConsumerRegistry {
    const { options, service = 'disco', maxFrameBytes, status } = this.setup;
    const { admin, clustered } = this.connections;
    return new ConsumerRegistry({
      admin,
      options: options.streams,
      keys: this.keys,
      name: `${service}@${hostname()}:${randomBytes(8).toString('hex')}`,
      maxFrameBytes,
      status,
      directory: this.directory(admin),
      clustered,
      connectTimeoutMs: options.connectTimeoutMs,
      openReader: () => this.connections.openReader(),
    });
  }

  private openWatch(): TopicWatch {
    const { connectTimeoutMs, streams } = this.setup.options;
    return new TopicWatch({
      directory: this.directory(this.connections.admin),
      periodMs: streams.topicDiscoveryMs,
      connectTimeoutMs,
      openNews: (heard, up) => this.connections.openNews(this.keys.topicNews, heard, up),
    });
  }

  private directory(connection: StreamConnection): TopicDirectory {
    return new TopicDirectory(connection, this.keys);
  }

  private tellUnread(stream: string): void {
    if (!this.unread.isNew(stream)) return;
    this.setup.status({
      type: 'unread',
      topic: this.keys.topicOf(stream),
      ...this.setup.options.streams.unread,
    });
  }

  /** Nodes of a Cluster are full one by one: there is room again when none has refused for a while. */
  private tellFull(full: boolean): void {
    if (full) this.refusedMs = performance.now();
    else if (!this.full || performance.now() - this.refusedMs < ROOM_MS) return;
    if (this.full === full) return;
    this.full = full;
    this.setup.status({ type: 'full', full });
  }

  private tellDropped(stream: string, entries: number): void {
    this.droppedEntries += entries;
    this.setup.status({ type: 'trimmed', topic: this.keys.topicOf(stream), entries });
  }
}

async function allowed(): Promise<void> {}

function letterOf({ delivery, bare }: TopicUse): string {
  if (delivery === 'at-least-once') return letters.least;
  return bare ? letters.bare : letters.most;
}

function dissent(others: readonly string[]): TopicDissent {
  const [letter] = others[0];
  return {
    delivery: letter === letters.least ? 'at-least-once' : 'at-most-once',
    bare: letter === letters.bare,
    by: others.map((other) => other.slice(2)),
  };
}

function assertGroup(group: unknown): void {
  if (typeof group === 'string' && /^[\x21-\x7e]{1,200}$/.test(group)) return;
  throw new ConfigurationError('A group must have 1 to 200 printable ASCII characters and no space');
}
