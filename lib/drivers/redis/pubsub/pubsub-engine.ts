import type { GuaranteeCapabilities } from '../../../driver/capabilities.js';
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
import {
  assertPattern,
  isTopicPattern,
  type TopicMatcher,
  topicMatcher,
} from '../../../message/topic-pattern.js';
import type { RedisConnections } from '../redis-connections.js';
import { isCluster } from '../redis-endpoint.js';
import { replyCode } from '../redis-error.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import type { TopicChannel } from './channel-entry.js';
import { ChannelNames } from './channel-names.js';
import { ClusterProbe } from './cluster-probe.js';
import { PubSubPublisher } from './pubsub-publisher.js';
import { type PubSubReceiver, PubSubSubscription } from './pubsub-subscription.js';
import { SubscriberConnection } from './subscriber-connection.js';

/** What a {@link PubSubEngine} is built with. */
export interface PubSubSetup {
  readonly options: ResolvedRedisOptions;
  readonly connections: RedisConnections;
  readonly prefix: string;
  /** Of larger incoming frames the head alone is handed over, with the refusal; they are told as an error. Bytes. */
  readonly maxFrameBytes: number;
  readonly status: (status: DriverStatus) => void;
}

/** Delivery at most once over Redis pub/sub: one publishing connection, and listening ones that share the channels. */
export class PubSubEngine {
  static readonly capabilities: GuaranteeCapabilities = {
    patterns: true,
    groups: false,
    delay: false,
    ordered: true,
    backlog: false,
    persistent: false,
    deduplication: false,
    bare: true,
    parts: true,
  };

  readonly publisher: PubSubPublisher;
  private readonly names: ChannelNames;
  private readonly bareNames: ChannelNames;
  private readonly subscribers: readonly SubscriberConnection[];
  private readonly probe: ClusterProbe | undefined;

  constructor(private readonly setup: PubSubSetup) {
    const { options, connections, prefix } = setup;
    const clustered = isCluster(options.endpoint);
    this.names = new ChannelNames(prefix);
    this.bareNames = new ChannelNames('', prefix);
    this.publisher = new PubSubPublisher(connections, options, !clustered);
    this.subscribers = Array.from({ length: options.workers }, () => this.subscriber());
    if (clustered && isCluster(options.reader)) {
      this.probe = new ClusterProbe(this.publisher, this.subscribers, this.names, options.heartbeatMs);
    }
  }

  /** To be called when the connections are up. */
  async start(): Promise<void> {
    await this.probe?.start();
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    if (options.delayMs) {
      return Promise.reject(
        new ConfigurationError('Redis pub/sub keeps nothing, so it cannot delay a message'),
      );
    }
    if (options.bare && this.names.covers(topic)) return Promise.reject(ownName(topic));
    const names = options.bare ? this.bareNames : this.names;
    return this.publisher.publish(topic, names.channel(topic), frame, options);
  }

  async subscribe(
    topicOrPattern: string,
    { bare, onMissed }: Pick<DriverSubscribeOptions, 'bare' | 'onMissed'>,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    if (bare && this.names.covers(topicOrPattern)) throw ownName(topicOrPattern);
    const names = bare ? this.bareNames : this.names;
    const receiver = { onDelivery, onMissed };
    const channel = channelOf(topicOrPattern, names);
    if (!channel.glob) return this.listen(channel, undefined, receiver);
    const matches = topicMatcher(topicOrPattern);
    try {
      return await this.listen(channel, matches, receiver);
    } catch (error) {
      // A user who may use `&disco:*` may PSUBSCRIBE to that very glob and to no narrower one.
      const { widest } = names;
      if (channel.name === widest || replyCode((error as Error).cause) !== 'NOPERM') throw error;
      return this.listen({ ...channel, name: widest }, matches, receiver);
    }
  }

  /** Resolves when what was sent is answered, at the latest after `graceMs`; the connections are the caller's to close. */
  async close(graceMs: number): Promise<void> {
    this.probe?.stop();
    await this.publisher.close(graceMs);
  }

  private async listen(
    channel: TopicChannel,
    matches: TopicMatcher | undefined,
    receiver: PubSubReceiver,
  ): Promise<DriverSubscription> {
    const connection = this.connectionFor(channel);
    const subscription = new PubSubSubscription(matches, receiver, (self) => connection.leave(channel, self));
    await connection.listen(channel, subscription);
    return subscription;
  }

  private subscriber(): SubscriberConnection {
    const { options, connections, status } = this.setup;
    return new SubscriberConnection(connections, {
      commandTimeoutMs: options.commandTimeoutMs,
      maxFrameBytes: this.setup.maxFrameBytes,
      gap: (topics, from, to) => status({ type: 'gap', topics, from, to }),
      error: (error) => status({ type: 'error', error }),
    });
  }

  /** A channel is subscribed on one connection only; a new one goes to where the fewest are. */
  private connectionFor(channel: TopicChannel): SubscriberConnection {
    const present = this.subscribers.find((connection) => connection.has(channel));
    return present ?? this.subscribers.reduce((least, other) => (other.load < least.load ? other : least));
  }
}

function ownName(topic: string): ConfigurationError {
  return new ConfigurationError(`The bare name "${topic}" is one of the bus's own channels`);
}

function channelOf(topicOrPattern: string, names: ChannelNames): TopicChannel {
  if (isTopicPattern(topicOrPattern)) {
    return {
      name: names.glob(assertPattern(topicOrPattern)),
      glob: true,
      topic: topicOrPattern,
      topicOf: (channel) => names.topic(channel),
    };
  }
  if (!topicGrammar.test(topicOrPattern)) throw new TopicInvalidError('That is not a topic');
  return { name: names.channel(topicOrPattern), glob: false, topic: topicOrPattern };
}
