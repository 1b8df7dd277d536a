import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
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
import { ConfigurationError } from '../../../errors/bus.errors.js';
import { TopicInvalidError } from '../../../errors/message.errors.js';
import { topicGrammar } from '../../../message/topic.js';
import { isTopicPattern } from '../../../message/topic-pattern.js';
import type { RedisConnections } from '../redis-connections.js';
import { isCluster } from '../redis-endpoint.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { ConsumerRegistry } from './consumer-registry.js';
import { openDeadLetters } from './redis-dead-letters.js';
import { censusScript } from './scripts/census-script.js';
import { ClusterConnection, LinkConnection, type StreamConnection } from './stream-connection.js';
import { StreamKeys } from './stream-keys.js';
import { StreamPublisher } from './stream-publisher.js';
import { StreamScript } from './stream-script.js';

/** What closing may take, beside the time for publishes under way. */
const CLOSE_MS = 2_000;
/** A blocked connection answers no PING; reading has a watchdog of its own. */
const NO_HEARTBEAT_MS = 2 ** 31 - 1;

const census = new StreamScript(censusScript);

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
    patterns: false,
    groups: true,
    delay: true,
    ordered: true,
    backlog: true,
    persistent: true,
    deduplication: true,
    exclusive: true,
    parts: true,
  };

  private readonly clustered: boolean;
  private readonly keys: StreamKeys;
  private publisher: StreamPublisher | undefined;
  private admin: StreamConnection | undefined;
  private registry: ConsumerRegistry | undefined;
  private droppedEntries = 0;

  constructor(private readonly setup: StreamsSetup) {
    this.clustered = isCluster(setup.options.endpoint);
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
    topic: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    if (isTopicPattern(topic)) {
      throw new ConfigurationError(
        'Redis Streams are read by topic: a topic pattern cannot be subscribed at least once',
      );
    }
    if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
    assertGroup(options.group);
    this.registry ??= this.openRegistry();
    return this.registry.subscribe(topic, options, onDelivery);
  }

  /** Rejects with ConfigurationError if the topic has no such group. */
  async deadLetters(topic: string, group: string): Promise<DeadLetterStore> {
    if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
    assertGroup(group);
    return openDeadLetters(this.openAdmin(), this.keys.group(topic, group), topic, group);
  }

  /** Members of the group that say they are alive, by the server's clock. */
  async countMembers(topic: string, group: string): Promise<number> {
    this.publisher ??= this.openPublisher();
    const { members } = this.keys.group(topic, group);
    const { connection } = this.publisher.setup;
    return Number(await connection.run((client) => census.run(client, [members], [])));
  }

  /** Settles what is under way, and gives the rest back to its groups. */
  async close(): Promise<void> {
    await this.publisher?.close(this.setup.options.commandTimeoutMs);
    await this.registry?.close(CLOSE_MS);
    this.admin?.close();
    this.publisher?.setup.connection.close();
  }

  private openPublisher(): StreamPublisher {
    const { options } = this.setup;
    return new StreamPublisher({
      connection: this.publishConnection(),
      keys: this.keys,
      options: options.streams,
      bufferLimit: options.bufferLimit,
      bySlot: this.clustered,
      name: randomBytes(9).toString('base64url'),
      dropped: (stream, entries) => this.tellDropped(stream, entries),
    });
  }

  /** WAIT holds its connection up, so a publisher that waits for replicas has one for itself. */
  private publishConnection(): StreamConnection {
    const { options, connections, publishLink, service } = this.setup;
    const { replicas, replicasTimeoutMs } = options.streams;
    if (this.clustered)
      return new ClusterConnection(options, 'publish', service, options.commandTimeoutMs + replicasTimeoutMs);
    if (replicas === 0) return new LinkConnection(publishLink);
    const link = connections.link('publish', {}, options.heartbeatMs + replicasTimeoutMs);
    link.start();
    return new LinkConnection(link, () => connections.drop(link));
  }

  private openAdmin(): StreamConnection {
    const { options, connections, service } = this.setup;
    if (this.admin !== undefined) return this.admin;
    if (this.clustered) {
      this.admin = new ClusterConnection(options, 'admin', service, options.commandTimeoutMs);
    } else {
      const link = connections.link('admin', {});
      link.start();
      this.admin = new LinkConnection(link, () => connections.drop(link));
    }
    return this.admin;
  }

  private openRegistry(): ConsumerRegistry {
    const { options, service = 'disco', maxFrameBytes, status } = this.setup;
    const name = `${service}@${hostname()}:${randomBytes(8).toString('hex')}`;
    return new ConsumerRegistry({
      admin: this.openAdmin(),
      options: options.streams,
      keys: this.keys,
      name,
      maxFrameBytes,
      status,
      clustered: this.clustered,
      connectTimeoutMs: options.connectTimeoutMs,
      openReader: () => this.openReader(),
    });
  }

  private openReader(): StreamConnection {
    const { options, connections, service } = this.setup;
    if (this.clustered) {
      return new ClusterConnection(options, 'read', service, options.streams.blockMs + 1_500);
    }
    const link = connections.link('read', {}, NO_HEARTBEAT_MS);
    link.start();
    return new LinkConnection(link, () => connections.drop(link));
  }

  private tellDropped(stream: string, entries: number): void {
    this.droppedEntries += entries;
    const topic = /\{(.*)\}$/.exec(stream)?.[1] ?? stream;
    this.setup.status({ type: 'trimmed', topic, entries });
  }
}

function assertGroup(group: unknown): void {
  if (typeof group === 'string' && /^[\x21-\x7e]{1,200}$/.test(group)) return;
  throw new ConfigurationError('A group must have 1 to 200 printable ASCII characters and no space');
}
