import type { Contract, Definition, RequestDefinition, TopicDefinition } from '../contract/definition.js';
import type { Received } from '../contract/received.js';
import type { DriverCapabilities } from '../driver/capabilities.js';
import { offersDeadLetters } from '../driver/dead-letters.js';
import { offersGroupRemoval } from '../driver/group-removal.js';
import { assertMessageOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { HandlerMissingError } from '../errors/handler.errors.js';
import { assertMessageId } from '../message/message-id.js';
import { assertTopic } from '../message/topic.js';
import { toMilliseconds } from '../timing/duration.js';
import { BusLife } from './bus-life.js';
import { type BusParts, busParts } from './bus-parts.js';
import { type BusState, type BusStatusListener, Lifecycle, type LockLost } from './bus-status.js';
import { PATIENCE_MS } from './connection/waiting-room.js';
import type { BatchHandler } from './consume/batch.js';
import { handlerName } from './consume/subscriber.js';
import type { DeclaredSubscription, Subscription } from './consume/subscription.js';
import type { SubscriptionStatus } from './consume/subscription-status.js';
import type { Wanted } from './consume/wanted.js';
import { checkedReplies } from './contract/checked-replies.js';
import { type ContractClient, contractClient } from './contract/contract-client.js';
import type { DefinedPublishOptions } from './contract/outgoing-check.js';
import { BusAdmin } from './operate/bus-admin.js';
import { DeadLetterQueue } from './operate/dead-letter-queue.js';
import { type Deed, DeedLog } from './operate/deed-log.js';
import { GroupWatch } from './operate/group-watch.js';
import { Inspector } from './operate/inspector.js';
import { publishMessageKinds, requestMessageKinds } from './options/bus-option-kinds.js';
import type {
  BatchSubscribeOptions,
  DiscoBusOptions,
  HandlerSubscribeOptions,
  MessageHandler,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  SubscribeOptions,
} from './options/bus-options.js';
import { type ResolvedOptions, resolveOptions } from './options/resolved-options.js';
import type { ReplyObserver } from './requests/call.js';
import { FirstReply } from './requests/first-reply.js';
import type { Answers } from './requests/reply-stream.js';
import type { Requester } from './requests/requester.js';
import { type TestAccess, testAccess, WitnessedPublisher, WitnessedRequester } from './test-access.js';
import { TransportAccess, transportAccess } from './transport-access.js';

/**
 * Publish/subscribe over a driver. `start()` before use, `stop()` to end; a stopped bus stays stopped.
 *
 * Every rejection is a DiscoBusError, and every call settles within its own time in every state. What the caller got wrong
 * is told at once. Before `start()` calls reject with NotConnectedError. While there is no connection, be it the first one
 * or lost, they wait: no longer than their `timeout`, which counts from the call, until their `signal` aborts, and
 * publishes within the driver's `bufferLimit`; what was refused is not sent later. After `stop()` they reject with
 * ClosedError, and so from `drain()` on where there never was a connection.
 */
export class DiscoBus {
  /** What is stored, who reads it, and how far they are: for the server, not for this process alone. */
  readonly inspect: Inspector;
  /** What operators do to topics and groups, for all processes. */
  readonly admin: BusAdmin;
  private readonly options: ResolvedOptions;
  private readonly parts: BusParts;
  private readonly life: BusLife;
  private readonly deeds: DeedLog;

  /** Throws DriverMissingError or ConfigurationError for options that cannot be; connects nothing. */
  constructor(options: DiscoBusOptions) {
    this.options = resolveOptions(options);
    const { engine, waitingRoom, logger, clock, service } = this.options;
    const lifecycle = new Lifecycle();
    this.parts = busParts(this.options, lifecycle);
    const { decoder, requester } = this.parts;
    const ask: Requester['ask'] = (...asked) => requester.ask(...asked);
    const connected = () => this.life.connected;
    this.inspect = new Inspector({ engine, waitingRoom, connected, decoder, census: { ask, clock } });
    this.deeds = new DeedLog(engine, waitingRoom, logger);
    this.admin = new BusAdmin({ engine, waitingRoom, decoder, deeds: this.deeds, service });
    const shared = { options: this.options, ...this.parts };
    transportAccess.grant(this, new TransportAccess(shared));
    testAccess.grant(this, this.testAccess(shared));
    this.options.contracts.onAdopted = () => this.parts.publisher.forgetTopics();
    this.life = new BusLife(this.options, lifecycle, this.parts, {
      hear: (status) => this.inspect.hear(status),
      watch: this.groupWatch(connected),
    });
  }

  /** Where the bus is in its life. */
  get state(): BusState {
    return this.life.state;
  }

  /** Whether the driver has its connection right now. */
  get connected(): boolean {
    return this.life.connected;
  }

  /** The subscriptions of this process, right now: announced or live, in the order of their announcement. */
  get subscriptions(): SubscriptionStatus[] {
    return this.parts.subscriber.statuses();
  }

  /** The name that is the default consumer group. */
  get service(): string {
    return this.options.service;
  }

  /** What the driver can do. */
  get capabilities(): DriverCapabilities {
    return this.options.driver.capabilities;
  }

  /**
   * Calls `farewell` when the bus drains, and waits for it before anything stops reading; the returned function ends that.
   * One that fails is told to the log, and the bus drains all the same.
   */
  onDrain(farewell: () => Promise<unknown>): () => void {
    return this.life.onDrain(farewell);
  }

  /** Calls `listener` for every status from now on; the returned function ends that. */
  onStatus(listener: BusStatusListener): () => void {
    return this.life.onStatus(listener);
  }

  /**
   * Connects. While the server cannot be reached it does as `connection` says. Rejects at once for what trying again
   * cannot mend, as a wrong password; a failed start may be repeated. Called again it returns the same promise.
   */
  start(): Promise<void> {
    return this.life.start();
  }

  /**
   * The first half of `stop()`: stops reading, lets running handlers finish for at most `shutdownTimeout`, and aborts
   * the signals of those that have not. Publishing still works afterwards. Idempotent; safe in every state.
   */
  drain(): Promise<void> {
    return this.life.drain();
  }

  /**
   * Stops reading, lets running handlers finish and publishes settle for at most `shutdownTimeout`, aborts the signals
   * of those that have not, and closes the driver. Idempotent; safe in every state.
   */
  stop(): Promise<void> {
    return this.life.stop();
  }

  /** Resolves when the server answered, within 5 s. Without a connection rejects with NotConnectedError at once. */
  ping(): Promise<void> {
    return this.options.driver.ping();
  }

  /**
   * Publishes `payload` to `topic` and resolves when the driver has accepted it. Rejects with TopicInvalidError,
   * MessageUndefinedError, CodecError, MessageTooLargeError or ConfigurationError for what the caller got wrong;
   * PublishTimeoutError, BackpressureError (beyond `publishLimit` at once) or AbortedError when nothing was sent;
   * PublishOutcomeUnknownError when that cannot be told. Messages of one caller to one topic keep their order.
   */
  publish<Published = unknown>(
    topic: string | TopicDefinition<Published>,
    payload: NoInfer<Published>,
    options?: PublishOptions,
  ): Promise<PublishReceipt> {
    if (options !== undefined) {
      try {
        assertMessageOptions('publish', options, publishMessageKinds);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    if (typeof topic === 'string') return this.parts.publishing.publish(topic, payload, options);
    try {
      const name = this.options.contracts.nameOf(topic);
      const defined = this.definedBy(topic, options);
      return this.parts.publishing.publish(name, payload, defined);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Publishes each of `payloads` as a message of its own; nothing is sent if one of them is at fault. The receipts come
   * in the order of the payloads. What is more than a quarter of `publishLimit` is sent in chunks, each once the one before
   * it is accepted and there is room, and within its own `timeout`; after a failure nothing more is sent. Rejects with
   * BatchPartlySentError, which tells what became of each, when some were published or may have been; otherwise as
   * `publish` does.
   */
  async publishBatch<Published = unknown>(
    topic: string | TopicDefinition<Published>,
    payloads: readonly NoInfer<Published>[],
    options?: PublishOptions,
  ): Promise<PublishReceipt[]> {
    if (!Array.isArray(payloads)) throw new ConfigurationError('publishBatch takes an array of payloads');
    if (options !== undefined) {
      assertMessageOptions('publishBatch', options, publishMessageKinds);
      if (options.id !== undefined) assertMessageId(options.id);
    }
    if (typeof topic === 'string') return this.parts.publishing.publishBatch(topic, payloads, options);
    const name = this.options.contracts.nameOf(topic);
    const defined = this.definedBy(topic, options);
    return this.parts.publishing.publishBatch(name, payloads, defined);
  }

  /**
   * Calls `handler` for every message of the topic, or of all topics that the pattern matches, and resolves when the
   * subscription is live. Rejects with TopicInvalidError, HandlerMissingError or ConfigurationError; with
   * NotConnectedError where there is no first connection within 5 s, or a lost one does not come back within 10 s.
   */
  subscribe<Handled = any, Replied = unknown>(
    topicOrPattern: string | TopicDefinition<never, Handled> | RequestDefinition<never, Handled, Replied>,
    handler: MessageHandler<Handled, Answers<NoInfer<Replied>>>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** With `batch`, calls `handler` with up to `batch.size` messages at a time. */
  subscribe<Handled = any>(
    topicOrPattern: string | TopicDefinition<never, Handled>,
    handler: BatchHandler<Handled>,
    options: BatchSubscribeOptions,
  ): Promise<Subscription>;
  async subscribe(
    topicOrPattern: string | Definition,
    handler: MessageHandler | BatchHandler,
    options: HandlerSubscribeOptions = {},
  ): Promise<Subscription> {
    if (typeof handler !== 'function') throw new HandlerMissingError(nameOf(topicOrPattern));
    const wanted = this.announce(topicOrPattern, options, handlerName(handler));
    const { subscriber } = this.parts;
    return subscriber.orWithdraw(wanted, subscriber.open(wanted, handler));
  }

  /**
   * Announces a subscription that follows: from now on a publish that contradicts it is refused, and so is a second
   * subscription of its group. Nothing is read before `open`. Throws TopicInvalidError or ConfigurationError.
   */
  declare(
    topicOrPattern: string | Definition,
    options: HandlerSubscribeOptions = {},
    name = 'a handler',
  ): DeclaredSubscription {
    const wanted = this.announce(topicOrPattern, options, name);
    const { group, delivery, concurrency } = wanted.policy;
    const { subscriber } = this.parts;
    return {
      topic: wanted.topic,
      group,
      delivery,
      concurrency,
      open: (handler) =>
        subscriber.orWithdraw(
          wanted,
          this.life.onceConnected(() => subscriber.open(wanted, handler)),
        ),
      withdraw: () => subscriber.expected.delete(wanted),
    };
  }

  /** Resolves at the first connection, however long it takes; rejects when there will be none. */
  firstConnection(): Promise<void> {
    return this.options.waitingRoom.connected();
  }

  /**
   * Publishes a request and resolves with what its handler returns: of several handlers the first to answer, of a stream
   * the first reply; undefined when a stream ends without one. A handler that returns undefined does not answer. Rejects
   * with RemoteError when the handler failed or the request could not be read there, ReplyLostError when a reply came that
   * cannot be read here, NoRespondersError when it is known that nobody is there, RequestTimeoutError when no reply came in
   * time or one may have been missed, BackpressureError when too many wait, and as `publish` does.
   */
  request<Reply = unknown, Asked = unknown>(
    topic: string | RequestDefinition<Asked, any, any, Reply>,
    payload: NoInfer<Asked>,
    options?: RequestOptions,
  ): Promise<Reply> {
    const first = new FirstReply<Reply>();
    try {
      first.callOff = this.requestStream(topic, payload, options, first);
    } catch (error) {
      first.error(error);
    }
    return first.promise;
  }

  /**
   * The same for any number of replies: `observer` is told of each in the order of its responder, then of the end or of
   * the failure. The returned function calls the request off, and the handler's signal aborts.
   * Throws ConfigurationError for malformed options.
   */
  requestStream(
    topic: string | RequestDefinition,
    payload: unknown,
    options: RequestOptions = {},
    observer: ReplyObserver,
  ): () => void {
    assertMessageOptions('request', options, requestMessageKinds);
    const { contracts, requestTimeoutMs, validation } = this.options;
    const name = contracts.nameOf(topic);
    const asked = contracts.requestOf(name);
    const { timeout = asked?.parts.requestTimeout, ...rest } = options;
    const timeoutMs =
      timeout === undefined ? requestTimeoutMs : toMilliseconds(timeout, 'timeout', { minMs: 1 });
    const checked = asked && checkedReplies(asked, validation, observer);
    const call = this.parts.requesting.call(name, payload, { ...rest, timeoutMs }, checked ?? observer);
    const cancel = () => call.cancel();
    if (checked) checked.callOff = cancel;
    return cancel;
  }

  /** The requests of `contract` as methods: `bus.client(prices).getPrice({ id })`. Throws ConfigurationError. */
  client<C extends Contract>(contract: C): ContractClient<C> {
    return contractClient(contract, (...request) => this.request(...request));
  }

  /** The topics and requests that the bus knows by their definitions, the newest version of each. */
  get definitions(): readonly Definition[] {
    return this.options.contracts.list;
  }

  /**
   * Writes down what an operator did to a part of the application that the bus does not know, as its locks. Never rejects.
   * @internal
   */
  recordDeed(deed: Deed): Promise<void> {
    return this.deeds.record(deed);
  }

  /**
   * Says that a lock of the application was lost.
   * @internal
   */
  reportLockLost(lock: Omit<LockLost, 'type'>): void {
    this.life.lockLost(lock);
  }

  /**
   * The dead letters of a topic and group, @default the bus's `service`. Of a definition their payloads are typed as they
   * travelled; those that were given up for their payload may hold anything. Throws TopicInvalidError.
   */
  deadLetters<Published>(
    topic: TopicDefinition<Published>,
    group?: string,
  ): DeadLetterQueue<Received<Published>>;
  deadLetters(topic: string, group?: string): DeadLetterQueue;
  deadLetters(
    definition: string | TopicDefinition,
    group: string = this.options.service,
  ): DeadLetterQueue<any> {
    const topic = assertTopic(this.options.contracts.nameOf(definition));
    const { engine, clock, waitingRoom, service, maxMessageBytes, wires } = this.options;
    const store = async () => {
      await waitingRoom.connected(PATIENCE_MS);
      if (offersDeadLetters(engine)) return engine.deadLetters(topic, group);
      throw new ConfigurationError(`The driver "${engine.name}" keeps no dead letters`);
    };
    const codec = wires.of('disco').codecFor('at-least-once');
    const { deeds } = this;
    const { decoder } = this.parts;
    const deps = { store, decoder, codec, maxMessageBytes, clock, deeds, service };
    return new DeadLetterQueue(topic, group, deps);
  }

  /**
   * Removes a group that nobody reads any more, as after a service was renamed, with all that is kept for it: what it has not
   * handled, its retries and its dead letters. Until then its topic fills up for it. Resolves with whether there was one.
   * Rejects with ConfigurationError while a member of it is alive, and as `deadLetters` does.
   */
  async removeGroup(topic: string, group: string): Promise<boolean> {
    assertTopic(topic);
    const { engine, waitingRoom } = this.options;
    await waitingRoom.connected(PATIENCE_MS);
    if (offersGroupRemoval(engine)) return engine.removeGroup(topic, group);
    throw new ConfigurationError(`The driver "${engine.name}" has no groups that can be removed`);
  }

  /** The newest version known is what the bus goes by anyhow: then `options` stay the object that they are, which is quicker to read. */
  private definedBy(
    definition: TopicDefinition,
    options?: PublishOptions,
  ): DefinedPublishOptions | undefined {
    return this.options.contracts.get(definition.name) === definition ? options : { ...options, definition };
  }

  /** `shared`: what transports were given. */
  private testAccess(shared: Pick<BusParts, 'requesting'>): TestAccess {
    const { parts, options } = this;
    return {
      clock: options.clock,
      get pendingRequests() {
        return parts.requester.size;
      },
      callWitness: (witness) => {
        options.stand.witness = witness;
        parts.publishing = new WitnessedPublisher(parts.publishing, witness);
        parts.requesting = new WitnessedRequester(parts.requesting, witness);
        shared.requesting = parts.requesting;
      },
    };
  }

  private groupWatch(connected: () => boolean): GroupWatch | undefined {
    const { options, inspect } = this;
    const { metricsIntervalMs } = options;
    if (metricsIntervalMs === undefined) return undefined;
    const groups = () =>
      this.subscriptions.flatMap(({ topic, group, own }) =>
        own || group === undefined ? [] : [{ topic, group }],
      );
    return new GroupWatch({ ...options, inspect, connected, groups }, metricsIntervalMs);
  }

  private announce(
    topicOrPattern: string | Definition,
    options: HandlerSubscribeOptions,
    name: string,
  ): Wanted {
    const wanted = this.parts.subscriber.declare(topicOrPattern, options, name);
    this.parts.publisher.forgetTopics();
    return wanted;
  }
}

function nameOf(topic: string | Definition): string {
  return typeof topic === 'string' ? topic : String(topic?.name);
}
