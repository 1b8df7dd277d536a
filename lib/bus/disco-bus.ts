import type { DriverCapabilities } from '../driver/capabilities.js';
import { offersDeadLetters } from '../driver/dead-letters.js';
import { offersGroupRemoval } from '../driver/group-removal.js';
import { assertMessageOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError, NotConnectedError } from '../errors/bus.errors.js';
import { type DiscoBusError, isDiscoBusError } from '../errors/disco-bus-error.js';
import { HandlerMissingError } from '../errors/handler.errors.js';
import { assertMessageId } from '../message/message-id.js';
import { assertTopic } from '../message/topic.js';
import type { DropReason } from '../metrics/metrics.js';
import { sleep } from '../timing/clock.js';
import { toMilliseconds } from '../timing/duration.js';
import { type BusState, type BusStatusListener, Lifecycle } from './bus-status.js';
import { Connector } from './connection/connector.js';
import { PATIENCE_MS } from './connection/waiting-room.js';
import type { BatchHandler } from './consume/batch.js';
import { handlerName, Subscriber, type Wanted } from './consume/subscriber.js';
import type { Subscription } from './consume/subscription.js';
import { Grace } from './grace.js';
import { BusAdmin } from './operate/bus-admin.js';
import { DeadLetterQueue } from './operate/dead-letter-queue.js';
import { Inspector } from './operate/inspector.js';
import { errorLine } from './options/bus-logger.js';
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
import { Publisher } from './publish/publisher.js';
import type { ReplyObserver } from './requests/call.js';
import { DirectChannel } from './requests/direct-channel.js';
import { FirstReply } from './requests/first-reply.js';
import { replyBufferBytes } from './requests/reply-order.js';
import { Requester } from './requests/requester.js';
import { Responder } from './requests/responder.js';
import { StatusLog } from './status-log.js';
import { grantTransportAccess, TransportAccess } from './transport-access.js';
import { MessageDecoder } from './wire/message-decoder.js';

/** How soon what belongs to the start is subscribed again. */
const REOPEN_MS = 200;

/** A subscription that is announced and not read yet. */
export interface DeclaredSubscription {
  /**
   * Resolves when the subscription is live; to be called once. Rejects as {@link DiscoBus.subscribe} does, but for the
   * first connection it waits as long as that takes.
   */
  open(handler: MessageHandler | BatchHandler): Promise<Subscription>;
  /** Takes it back, when it was not opened. */
  withdraw(): void;
}

/** Stands for all reply inboxes where a topic is told. */
const REPLIES = 'replies';

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
  private readonly lifecycle = new Lifecycle();
  private readonly subscriber: Subscriber;
  private readonly publisher: Publisher;
  private readonly decoder: MessageDecoder;
  private readonly responder: Responder;
  private readonly requester: Requester;
  private connector?: Connector;
  private starting?: Promise<void>;
  private draining?: Promise<void>;
  private readonly farewells = new Set<() => Promise<unknown>>();
  private stopping?: Promise<void>;
  private readonly grace: Grace;
  private driverConnected = false;
  /** `start` has resolved. */
  private wentOn = false;
  private readonly stopListening: () => void;

  /** Throws DriverMissingError or ConfigurationError for options that cannot be; connects nothing. */
  constructor(options: DiscoBusOptions) {
    this.options = resolveOptions(options);
    const { shutdownTimeoutMs, clock, logger } = this.options;
    const { engine, waitingRoom } = this.options;
    this.inspect = new Inspector({ engine, waitingRoom, connected: () => this.driverConnected });
    this.grace = new Grace(shutdownTimeoutMs, clock, logger);
    this.decoder = new MessageDecoder(this.options.requestCodec, this.options.maxMessageBytes);
    const { service } = this.options;
    this.admin = new BusAdmin({ engine, waitingRoom, decoder: this.decoder, logger, service });
    const onDropped = (topic: string, reason: DropReason) =>
      this.lifecycle.emit({ type: 'dropped', topic, reason });
    const channel = new DirectChannel({
      ...this.options,
      driver: this.options.requestDriver,
      codec: this.options.requestCodec,
      decoder: this.decoder,
    });
    this.responder = this.makeResponder(channel);
    this.subscriber = new Subscriber(this.options, this.responder, onDropped);
    this.publisher = new Publisher(this.options, this.subscriber.expected);
    this.requester = this.makeRequester(channel, onDropped);
    const { requester, responder, subscriber } = this;
    const deps = { options: this.options, channel, requester, responder, subscriber };
    grantTransportAccess(this, new TransportAccess(deps));
    const log = new StatusLog(this.options.driver.name, this.options.logger);
    this.stopListening = this.options.driver.onStatus((status) => {
      log.hear(status);
      this.inspect.hear(status);
      if (status.type === 'connected' || status.type === 'disconnected')
        this.onConnection(status.type === 'connected');
      if (status.type === 'dead-letters-full') this.subscriber.countOutlived(status);
      this.requester.onDriverStatus(status);
      this.lifecycle.emit(status);
    });
  }

  /** Where the bus is in its life. */
  get state(): BusState {
    return this.lifecycle.state;
  }

  /** Whether the driver has its connection right now. */
  get connected(): boolean {
    return this.driverConnected;
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
    this.farewells.add(farewell);
    return () => void this.farewells.delete(farewell);
  }

  /** Calls `listener` for every status from now on; the returned function ends that. */
  onStatus(listener: BusStatusListener): () => void {
    return this.lifecycle.listen(listener);
  }

  /**
   * Connects. While the server cannot be reached it does as `connection` says. Rejects at once for what trying again
   * cannot mend, as a wrong password; a failed start may be repeated. Called again it returns the same promise.
   */
  start(): Promise<void> {
    if (this.stopping ?? this.draining) return Promise.reject(new ClosedError('The bus is stopped'));
    this.starting ??= this.connect().catch((error) => {
      this.starting = undefined;
      if (!this.draining) this.backToIdle(error);
      throw error;
    });
    return this.starting;
  }

  /**
   * The first half of `stop()`: stops reading, lets running handlers finish for at most `shutdownTimeout`, and aborts
   * the signals of those that have not. Publishing still works afterwards. Idempotent; safe in every state.
   */
  drain(): Promise<void> {
    this.draining ??= this.drainSubscriptions();
    return this.draining;
  }

  /**
   * Stops reading, lets running handlers finish and publishes settle for at most `shutdownTimeout`, aborts the signals
   * of those that have not, and closes the driver. Idempotent; safe in every state.
   */
  stop(): Promise<void> {
    this.stopping ??= this.drainAndClose();
    return this.stopping;
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
  publish(topic: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    if (options !== undefined) {
      try {
        assertMessageOptions('publish', options, publishMessageKinds);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.publisher.publish(topic, payload, options);
  }

  /**
   * Publishes each of `payloads` as a message of its own; nothing is sent if one of them is at fault. The receipts come
   * in the order of the payloads. What is more than a quarter of `publishLimit` is sent in chunks, each once the one before
   * it is accepted and there is room, and within its own `timeout`; after a failure nothing more is sent. Rejects with
   * BatchPartlySentError, which tells what became of each, when some were published or may have been; otherwise as
   * `publish` does.
   */
  async publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options?: PublishOptions,
  ): Promise<PublishReceipt[]> {
    if (!Array.isArray(payloads)) throw new ConfigurationError('publishBatch takes an array of payloads');
    if (options !== undefined) {
      assertMessageOptions('publishBatch', options, publishMessageKinds);
      if (options.id !== undefined) assertMessageId(options.id);
    }
    return this.publisher.publishBatch(topic, payloads, options);
  }

  /**
   * Calls `handler` for every message of the topic, or of all topics that the pattern matches, and resolves when the
   * subscription is live. Rejects with TopicInvalidError, HandlerMissingError or ConfigurationError; with
   * NotConnectedError where there is no connection for 10 s.
   */
  subscribe<T = any>(
    topicOrPattern: string,
    handler: MessageHandler<T>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** With `batch`, calls `handler` with up to `batch.size` messages at a time. */
  subscribe<T = any>(
    topicOrPattern: string,
    handler: BatchHandler<T>,
    options: BatchSubscribeOptions,
  ): Promise<Subscription>;
  async subscribe(
    topicOrPattern: string,
    handler: MessageHandler | BatchHandler,
    options: HandlerSubscribeOptions = {},
  ): Promise<Subscription> {
    if (typeof handler !== 'function') throw new HandlerMissingError(String(topicOrPattern));
    const wanted = this.announce(topicOrPattern, options, handlerName(handler));
    return this.subscriber.orWithdraw(wanted, this.subscriber.open(wanted, handler));
  }

  /**
   * Announces a subscription that follows: from now on a publish that contradicts it is refused, and so is a second
   * subscription of its group. Nothing is read before `open`. Throws TopicInvalidError or ConfigurationError.
   */
  declare(
    topicOrPattern: string,
    options: HandlerSubscribeOptions = {},
    name = 'a handler',
  ): DeclaredSubscription {
    const wanted = this.announce(topicOrPattern, options, name);
    return {
      open: (handler) => this.subscriber.orWithdraw(wanted, this.openOnceConnected(wanted, handler)),
      withdraw: () => this.subscriber.withdraw(wanted),
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
  request<T = unknown>(topic: string, payload: unknown, options?: RequestOptions): Promise<T> {
    const first = new FirstReply<T>();
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
    topic: string,
    payload: unknown,
    options: RequestOptions = {},
    observer: ReplyObserver,
  ): () => void {
    assertMessageOptions('request', options, requestMessageKinds);
    const { timeout, ...rest } = options;
    const { requestTimeoutMs } = this.options;
    const timeoutMs =
      timeout === undefined ? requestTimeoutMs : toMilliseconds(timeout, 'timeout', { minMs: 1 });
    const call = this.requester.call(topic, payload, { ...rest, timeoutMs }, observer);
    return () => call.cancel();
  }

  /** The dead letters of a topic and group, @default the bus's `service`. Throws TopicInvalidError. */
  deadLetters(topic: string, group: string = this.options.service): DeadLetterQueue {
    assertTopic(topic);
    const { engine, clock, waitingRoom } = this.options;
    const store = async () => {
      await waitingRoom.connected(PATIENCE_MS);
      if (offersDeadLetters(engine)) return engine.deadLetters(topic, group);
      throw new ConfigurationError(`The driver "${engine.name}" keeps no dead letters`);
    };
    return new DeadLetterQueue(topic, group, store, this.decoder, clock);
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

  private announce(topicOrPattern: string, options: HandlerSubscribeOptions, name: string): Wanted {
    const wanted = this.subscriber.declare(topicOrPattern, options, name);
    this.publisher.forgetTopics();
    return wanted;
  }

  /** What waited for the first connection is not given up because that one was short. */
  private async openOnceConnected(
    wanted: Wanted,
    handler: MessageHandler | BatchHandler,
  ): Promise<Subscription> {
    const { clock } = this.options;
    for (let again = this.state === 'connecting'; ; await sleep(REOPEN_MS, clock)) {
      await this.firstConnection();
      try {
        return await this.subscriber.open(wanted, handler);
      } catch (error) {
        again &&= !this.draining && isDiscoBusError(error, 'DISCO_NOT_CONNECTED');
        if (!again) throw error;
      }
    }
  }

  private makeResponder(channel: DirectChannel): Responder {
    const { clock, logger } = this.options;
    const onUnsent = (topic: string, error: unknown) =>
      logger.warn(`"${topic}": a reply could not be sent: ${errorLine(error)}`);
    return new Responder({ channel, clock, onUnsent });
  }

  private makeRequester(
    channel: DirectChannel,
    onDropped: (topic: string, reason: DropReason) => void,
  ): Requester {
    const { engine, clock, metrics, maxPendingRequests, maxMessageBytes, publishTimeoutMs } = this.options;
    return new Requester({
      publishTimeoutMs,
      channel,
      clock,
      driver: engine,
      maxPending: maxPendingRequests,
      replyBufferBytes: replyBufferBytes(maxMessageBytes),
      usable: () => (this.lifecycle.state === 'ready' ? undefined : this.firstConnection()),
      check: (topic, payload, options) => this.publisher.check(topic, payload, options),
      publish: (topic, payload, options) => this.publisher.publish(topic, payload, options),
      onStrayReply: () => {
        metrics.topic(REPLIES).dropped('stray');
        onDropped(REPLIES, 'stray');
      },
    });
  }

  private async connect(): Promise<void> {
    this.lifecycle.enter('connecting');
    const { driver, prefix, service, maxMessageBytes, connection, logger, clock } = this.options;
    const maxFrameBytes = maxMessageBytes + 128 * 1024;
    this.connector = new Connector(driver, { prefix, service, maxFrameBytes }, connection, logger, clock);
    void this.connector.connected.then(
      () => {
        // A start that has failed meanwhile is over, also when its last attempt goes well.
        if (this.draining || !this.starting) return;
        this.onConnection(true);
        this.lifecycle.enter('ready');
      },
      (error) => this.onNeverConnected(error),
    );
    await this.connector.started();
    this.wentOn = true;
  }

  /** What waited fails as the start did. */
  private backToIdle(cause: DiscoBusError): void {
    this.options.waitingRoom.refuse(cause, new NotConnectedError('The bus is not started', { cause }));
    this.lifecycle.enter('idle');
  }

  /** What goes on in the background fails there: nobody else would tell. */
  private onNeverConnected(error: DiscoBusError): void {
    if (this.draining) return;
    this.options.waitingRoom.refuse(error);
    if (this.wentOn) this.options.logger.error(`Not connected, and not trying any more: ${errorLine(error)}`);
  }

  private onConnection(up: boolean): void {
    this.driverConnected = up;
    this.options.metrics.connection(up);
  }

  private async drainSubscriptions(): Promise<void> {
    this.connector?.stop();
    this.options.waitingRoom.refuse(new ClosedError('The bus was stopped before it was connected'));
    this.lifecycle.enter('draining');
    await this.grace.within(this.subscriber.close(this.sayFarewell()));
    this.subscriber.abandon();
    await this.grace.within(this.responder.abandon(new ClosedError('The responder was stopped')));
  }

  private sayFarewell(): Promise<unknown> | undefined {
    if (this.farewells.size === 0) return undefined;
    const { logger } = this.options;
    const say = async (farewell: () => Promise<unknown>) => farewell();
    const said = [...this.farewells].map((farewell) =>
      say(farewell).catch((error) =>
        logger.warn(`Shutdown: what onDrain was given failed: ${errorLine(error)}`),
      ),
    );
    return Promise.all(said);
  }

  private async drainAndClose(): Promise<void> {
    await this.drain();
    this.requester.close();
    await this.grace.within(this.publisher.idle());
    await this.grace.last((graceMs) => this.options.driver.close(graceMs));
    this.publisher.close();
    this.onConnection(false);
    this.stopListening();
    this.lifecycle.enter('closed');
  }
}
