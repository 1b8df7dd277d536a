import { inspect } from 'node:util';
import type { BrowseRange, BrowsingProvider, StoredEntry } from '../../driver/browsing.js';
import type { DriverCapabilities } from '../../driver/capabilities.js';
import type { DeadLetterProvider, DeadLetterStore } from '../../driver/dead-letters.js';
import type { Delivery } from '../../driver/delivery.js';
import type {
  BufferLimit,
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../../driver/driver.js';
import { type DriverStatusListener, DriverStatusListeners } from '../../driver/driver-status.js';
import type { GroupCensus } from '../../driver/group-census.js';
import type { GroupHindrances, HindranceProvider, ServerMemory } from '../../driver/group-hindrances.js';
import type { GroupRemoval } from '../../driver/group-removal.js';
import type {
  InspectionOptions,
  InspectionProvider,
  TopicInspection,
  TopicRange,
} from '../../driver/inspection.js';
import type { LockStore, LockStoreProvider } from '../../driver/lock-store.js';
import type { Steering, SteeringProvider } from '../../driver/steering.js';
import type { TopicAgreements, TopicDissent, TopicUse } from '../../driver/topic-agreements.js';
import type { WatchTurns } from '../../driver/watch-turns.js';
import { type ClosedError, NotConnectedError } from '../../errors/bus.errors.js';
import type { RedisDiagnosis } from './diagnosis/redis-diagnosis.js';
import { RedisLockStore } from './locks/redis-lock-store.js';
import { PubSubEngine } from './pubsub/pubsub-engine.js';
import { closed, type RedisDriverState } from './redis-driver-state.js';
import { type RedisDriverOptions, ResolvedRedisOptions } from './redis-options.js';
import { RedisSession } from './redis-session.js';
import { StreamsEngine } from './streams/streams-engine.js';

const GIVING_BACK_MS = 4_000;

/**
 * The driver over Redis, standalone, in a Cluster or behind Sentinels. Once connected it reconnects by itself for ever,
 * subscribes again by itself, and tells each outage of a listening connection as one `gap`.
 */
export class RedisDriver
  implements
    DiscoDriver,
    DeadLetterProvider,
    GroupCensus,
    LockStoreProvider,
    GroupRemoval,
    TopicAgreements,
    InspectionProvider,
    SteeringProvider,
    BrowsingProvider,
    HindranceProvider,
    WatchTurns
{
  readonly name = 'redis';
  readonly capabilities: DriverCapabilities = {
    'at-most-once': PubSubEngine.capabilities,
    'at-least-once': StreamsEngine.capabilities,
  };
  readonly bufferLimit: BufferLimit;

  /**
   * It holds a password, so it is behind a function: whoever shows this shows none. A `#private` field would not be there where
   * Nest's `instrument` puts a Proxy in front of this.
   */
  private readonly inner: () => RedisDriverState;

  /** Connects nothing yet. Throws {@link ConfigurationError}, without any secret, for options that cannot be. */
  constructor(options: RedisDriverOptions = {}) {
    const inner: RedisDriverState = {
      options: new ResolvedRedisOptions(options),
      listeners: new DriverStatusListeners(),
    };
    this.inner = () => inner;
    this.bufferLimit = inner.options.bufferLimit;
  }

  /**
   * Resolves when the publishing and every listening connection is up. Rejects with NotConnectedError when they are not
   * within `connectTimeout`, at once with DriverError when the server refuses the credentials and with
   * ConfigurationError when it is a node of a Cluster that was named as one server; nothing stays open then.
   */
  connect(context: DriverContext = {}): Promise<void> {
    const inner = this.inner();
    if (inner.closing !== undefined) return Promise.reject(closed());
    if (inner.session !== undefined) return Promise.resolve();
    inner.connecting ??= this.open(context).finally(() => {
      inner.connecting = undefined;
    });
    return inner.connecting;
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    const session = this.inner().session;
    if (session === undefined) return Promise.reject(this.unusable());
    if (options.delivery === 'at-least-once') return session.streams.publish(topic, frame, options);
    return session.pubsub.publish(topic, frame, options);
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const session = this.inner().session;
    if (session === undefined) throw this.unusable();
    if (options.delivery === 'at-least-once')
      return session.streams.subscribe(topicOrPattern, options, onDelivery);
    return session.pubsub.subscribe(topicOrPattern, options, onDelivery);
  }

  async deadLetters(topic: string, group: string): Promise<DeadLetterStore> {
    return this.streams.deadLetters(topic, group);
  }

  async countMembers(topic: string, group: string): Promise<number | undefined> {
    return this.streams.countMembers(topic, group);
  }

  async removeGroup(topic: string, group: string): Promise<boolean> {
    return this.streams.removeGroup(topic, group);
  }

  async listTopics(range: TopicRange): Promise<string[]> {
    return this.streams.inspector.listTopics(range);
  }

  async inspectTopic(topic: string, options?: InspectionOptions): Promise<TopicInspection | undefined> {
    return this.streams.inspector.inspectTopic(topic, options);
  }

  async inspectTopics(range: TopicRange): Promise<TopicInspection[]> {
    return this.streams.inspector.inspectTopics(range);
  }

  async browse(topic: string, range: BrowseRange): Promise<StoredEntry[]> {
    return this.streams.inspector.browse(topic, range);
  }

  async hindrances(topic: string, group: string): Promise<GroupHindrances> {
    return this.streams.diagnosis.groups.hindrances(topic, group);
  }

  async serverMemory(): Promise<readonly ServerMemory[]> {
    return this.streams.diagnosis.server.servers();
  }

  async takeWatch(what: string, watcher: string, leaseMs: number): Promise<number> {
    return this.streams.takeWatch(what, watcher, leaseMs);
  }

  async leaveWatch(what: string, watcher: string): Promise<void> {
    return this.streams.leaveWatch(what, watcher);
  }

  async agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined> {
    return this.streams.agreeOn(topic, use, by, holdMs);
  }

  async releaseTopics(topics: readonly string[], by: string): Promise<void> {
    return this.streams.releaseTopics(topics, by);
  }

  steering(): Steering {
    return this.streams.steering;
  }

  /**
   * Looks closer at groups and the server than an inspection does; to be called once connected.
   * @internal
   */
  diagnosis(): RedisDiagnosis {
    return this.streams.diagnosis;
  }

  /** @param graceMs defaults to the command timeout and 4 s for giving back what was being read */
  close(graceMs: number = this.inner().options.commandTimeoutMs + GIVING_BACK_MS): Promise<void> {
    const inner = this.inner();
    inner.closing ??= this.end(graceMs);
    return inner.closing;
  }

  async ping(): Promise<void> {
    const session = this.inner().session;
    if (session === undefined) throw this.unusable();
    await session.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.inner().listeners.add(listener);
  }

  /** A lock store on the same server, with a connection of its own; this driver need not be connected for it. */
  lockStore(context?: DriverContext): LockStore {
    return new RedisLockStore(this.inner().options, context);
  }

  /** Shows where the driver leads, and no credential. */
  toJSON(): object {
    return { name: this.name, target: this.inner().options.target };
  }

  [inspect.custom](): string {
    return `RedisDriver { ${this.inner().options.target} }`;
  }

  private async open(context: DriverContext): Promise<void> {
    const session = new RedisSession(this.inner().options, context, (status) =>
      this.inner().listeners.emit(status),
    );
    this.inner().opening = session;
    await session.open().finally(() => {
      this.inner().opening = undefined;
    });
    if (this.inner().closing !== undefined) throw closed();
    this.inner().session = session;
  }

  private async end(graceMs: number): Promise<void> {
    const session = this.inner().session;
    this.inner().session = undefined;
    this.inner().opening?.abandon();
    await this.inner().connecting?.catch(() => undefined);
    await session?.close(graceMs);
  }

  private get streams(): StreamsEngine {
    const session = this.inner().session;
    if (session === undefined) throw this.unusable();
    return session.streams;
  }

  private unusable(): NotConnectedError | ClosedError {
    return this.inner().closing === undefined
      ? new NotConnectedError('The Redis driver is not connected')
      : closed();
  }
}

/**
 * The driver over Redis: `redisDriver({ url: 'redis://…' })`, or a Cluster, Sentinels, or the settings of an ioredis
 * client of your own. Without options it leads to `redis://127.0.0.1:6379`.
 */
export function redisDriver(options: RedisDriverOptions = {}): RedisDriver {
  return new RedisDriver(options);
}
