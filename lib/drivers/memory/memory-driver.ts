import type { BrowseRange, BrowsingProvider, StoredEntry } from '../../driver/browsing.js';
import type { DeadLetterProvider, DeadLetterStore } from '../../driver/dead-letters.js';
import { type Delivery } from '../../driver/delivery.js';
import {
  type DiscoDriver,
  type DriverContext,
  type DriverPublishOptions,
  type DriverReceipt,
  type DriverSubscribeOptions,
  type DriverSubscription,
} from '../../driver/driver.js';
import { type DriverStatusListener, DriverStatusListeners } from '../../driver/driver-status.js';
import type { GroupCensus } from '../../driver/group-census.js';
import type { GroupRemoval } from '../../driver/group-removal.js';
import type {
  InspectionOptions,
  InspectionProvider,
  TopicInspection,
  TopicRange,
} from '../../driver/inspection.js';
import type { LockStore, LockStoreProvider } from '../../driver/lock-store.js';
import type { Steering, SteeringProvider } from '../../driver/steering.js';
import { ToldOnce } from '../../driver/told-once.js';
import type { TopicAgreements, TopicDissent, TopicUse } from '../../driver/topic-agreements.js';
import type { WatchTurns } from '../../driver/watch-turns.js';
import { assertOptions } from '../../errors/assert-options.js';
import { AbortedError, ClosedError, ConfigurationError, NotConnectedError } from '../../errors/bus.errors.js';
import { DriverError } from '../../errors/driver.errors.js';
import { noGroup } from '../../errors/group.errors.js';
import { toMilliseconds } from '../../timing/duration.js';
import { browsedEntries } from './browsed-entries.js';
import { type FanOut } from './fan-out.js';
import { MemoryLockStore } from './locks/memory-lock-store.js';
import { memberIdentity } from './member-identity.js';
import { type BrokerSpace, MemoryBroker } from './memory-broker.js';
import { memoryCapabilities } from './memory-capabilities.js';
import { driverKinds, type MemoryDriverOptions, refuseBrokerOptions } from './memory-driver-options.js';
import { fanOutSubscription, groupSubscription, type MemorySubscription } from './memory-subscription.js';
import { topicInspection } from './topic-inspection.js';

/**
 * The embedded engine: moves frames within the process, through a {@link MemoryBroker}. Frames are copied once when
 * they are published; all subscriptions are handed that same copy. Deliveries are made after the publisher's turn, in
 * order. Dead letters are kept by the broker. Closed for good by `close`.
 */
export class MemoryDriver
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
    WatchTurns
{
  readonly name = 'memory';
  readonly capabilities = memoryCapabilities;
  readonly broker: MemoryBroker;
  private readonly visibilityMs: number;
  private readonly listeners = new DriverStatusListeners();
  private readonly subscriptions = new Set<MemorySubscription>();
  private space: BrokerSpace | undefined;
  private identity = memberIdentity(undefined);
  private closed = false;
  private stopListening: (() => void) | undefined;
  /** Topics without a group that are remembered as told. */
  private readonly unread = new ToldOnce(10_000);

  /** Throws {@link ConfigurationError} for malformed options. */
  constructor(options: MemoryDriverOptions = {}) {
    assertOptions('memoryDriver', options, driverKinds);
    const { broker, visibilityTimeout = '30s', ...brokerOptions } = options;
    if (broker) refuseBrokerOptions(broker, brokerOptions);
    this.broker = broker ?? new MemoryBroker(brokerOptions);
    this.visibilityMs = toMilliseconds(visibilityTimeout, 'visibilityTimeout');
  }

  async connect(context: DriverContext = {}): Promise<void> {
    if (this.closed) throw closedError();
    if (this.space) return;
    const { prefix = 'disco', service } = context;
    this.identity = memberIdentity(service);
    this.space = this.broker.space(prefix);
    this.stopListening = this.broker.onStatus((of, status) => {
      if (of === prefix) this.listeners.emit(status);
    });
    this.broker.attach();
    this.listeners.emit({ type: 'connected', target: 'the memory of this process' });
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    try {
      const receipt = this.accept(topic, frame, options);
      const { turn } = this.broker;
      if (!turn.isHeldUp) return Promise.resolve(receipt);
      // Its publisher waits as well, so that what is on its way does not pile up.
      return new Promise((resolve) => turn.add({ run: () => resolve(receipt) }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const space = this.connected();
    const settings = {
      ...options,
      topicOrPattern,
      identity: this.identity,
      onDelivery,
      onFault: (thrown: unknown) => this.reportFault(topicOrPattern, thrown),
      onEnd: () => this.subscriptions.delete(subscription),
    };
    const subscription: MemorySubscription =
      options.delivery === 'at-most-once'
        ? fanOutSubscription(this.fanOut(space, options.bare), settings)
        : groupSubscription(space.logs, this.broker.agenda, this.visibilityMs, settings);
    this.subscriptions.add(subscription);
    return subscription;
  }

  /** Ends all subscriptions; what they have left unsettled goes back to its groups at once. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const subscription of [...this.subscriptions]) subscription.end();
    this.subscriptions.clear();
    if (!this.space) return;
    this.space = undefined;
    this.stopListening?.();
    this.broker.detach();
    this.listeners.emit({ type: 'disconnected' });
  }

  async deadLetters(topic: string, group: string): Promise<DeadLetterStore> {
    const found = this.connected().logs.find(topic)?.findGroup(group);
    if (!found) throw noGroup(topic, group);
    return found.deadLetters;
  }

  async countMembers(topic: string, group: string): Promise<number> {
    return this.connected().logs.countMembers(topic, group);
  }

  async removeGroup(topic: string, group: string): Promise<boolean> {
    return this.connected().logs.removeGroup(topic, group);
  }

  async listTopics(range: TopicRange): Promise<string[]> {
    return this.connected().logs.names(range);
  }

  async inspectTopic(topic: string, options?: InspectionOptions): Promise<TopicInspection | undefined> {
    const log = this.connected().logs.find(topic);
    return log && topicInspection(log.standing, options);
  }

  async inspectTopics(range: TopicRange): Promise<TopicInspection[]> {
    const { logs } = this.connected();
    return logs.names(range).map((topic) => topicInspection(logs.log(topic).standing));
  }

  async browse(topic: string, range: BrowseRange): Promise<StoredEntry[]> {
    const log = this.connected().logs.find(topic);
    return log ? browsedEntries(log.standing, range) : [];
  }

  async takeWatch(what: string, watcher: string, leaseMs: number): Promise<number> {
    return this.connected().watches.take(what, watcher, leaseMs);
  }

  async leaveWatch(what: string, watcher: string): Promise<void> {
    this.connected().watches.leave(what, watcher);
  }

  async agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): Promise<TopicDissent | undefined> {
    return this.connected().uses.agreeOn(topic, use, by, holdMs);
  }

  async releaseTopics(topics: readonly string[], by: string): Promise<void> {
    this.connected().uses.release(topics, by);
  }

  steering(): Steering {
    return this.connected().steering;
  }

  /** The locks of the same broker and prefix; this driver need not be connected for it. */
  lockStore(context: DriverContext = {}): LockStore {
    const { prefix = 'disco', service } = context;
    return new MemoryLockStore({ table: this.broker.space(prefix).locks, service });
  }

  async ping(): Promise<void> {
    this.connected();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.listeners.add(listener);
  }

  private accept(topic: string, frame: Uint8Array, options: DriverPublishOptions): DriverReceipt {
    const space = this.connected();
    if (options.signal?.aborted) throw new AbortedError(options.signal.reason);
    if (options.delivery === 'at-least-once') {
      const log = space.logs.log(topic);
      const receipt = log.append(frame, options);
      if (log.isUnread && this.unread.isNew(topic))
        this.listeners.emit({ type: 'unread', topic, ...this.broker.unread });
      return receipt;
    }
    if (options.delayMs) throw new ConfigurationError('delay needs the delivery guarantee at-least-once');
    return { receivers: this.fanOut(space, options.bare).publish(topic, frame) };
  }

  /** Bare names are those without any prefix. */
  private fanOut(space: BrokerSpace, bare: boolean | undefined): FanOut {
    return bare ? this.broker.space('').fanOut : space.fanOut;
  }

  private connected(): BrokerSpace {
    if (this.space) return this.space;
    throw this.closed ? closedError() : new NotConnectedError('The memory driver is not connected');
  }

  private reportFault(topicOrPattern: string, thrown: unknown): void {
    const error = new DriverError(`The subscriber of "${topicOrPattern}" threw`, {
      cause: thrown,
      retryable: false,
    });
    this.listeners.emit({ type: 'error', error });
  }
}

const closedError = () => new ClosedError('The memory driver is closed');

/** A driver that works within this process: an engine of its own, or one of several on a shared broker. */
export function memoryDriver(options?: MemoryDriverOptions): MemoryDriver {
  return new MemoryDriver(options);
}
