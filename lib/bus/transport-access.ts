import type { Definition, RequestDefinition } from '../contract/definition.js';
import type { TopicOptions } from '../contract/topic-options.js';
import type { DeliveryGuarantee } from '../driver/capabilities.js';
import type { DriverReceipt } from '../driver/driver.js';
import type { Message } from '../message/message.js';
import { handlerName, type Subscriber } from './consume/subscriber.js';
import type { Subscription } from './consume/subscription.js';
import type { OwnSubscribeOptions } from './consume/wanted.js';
import { type CheckedReplies, checkedReplies } from './contract/checked-replies.js';
import { checkIncoming } from './contract/incoming-check.js';
import { checkOutgoing } from './contract/outgoing-check.js';
import { grantedAccess } from './granted-access.js';
import type { BusLogger } from './options/bus-logger.js';
import type { MessageHandler } from './options/bus-options.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import type { ReplyObserver } from './requests/call.js';
import type { DirectCall, RequestHandle } from './requests/call-options.js';
import type { DirectChannel } from './requests/direct-channel.js';
import type { Requester } from './requests/requester.js';
import type { Responder } from './requests/responder.js';
import type { Requesting } from './requests/traced-requester.js';

/** The parts of a bus that {@link TransportAccess} reaches past the bus's own methods. */
export interface TransportAccessDeps {
  readonly options: ResolvedOptions;
  readonly channel: DirectChannel;
  readonly requester: Requester;
  requesting: Requesting;
  readonly responder: Responder;
  readonly subscriber: Subscriber;
}

/** What the transport and the Nest module of this package may do with a bus, and applications may not: no entry of the package exports it. */
export class TransportAccess {
  constructor(private readonly deps: TransportAccessDeps) {}

  /** How long a request waits that does not say so itself. */
  get requestTimeoutMs(): number {
    return this.deps.options.requestTimeoutMs;
  }

  /** Where the bus writes: a storm does not flood it, and what it left out is told when the bus closes. */
  get logger(): BusLogger {
    return this.deps.options.logger;
  }

  /** The bus's clock, in milliseconds since the epoch. */
  now(): number {
    return this.deps.options.clock.now();
  }

  /** Requests of the bus that wait for their replies. */
  get pendingRequests(): number {
    return this.deps.requester.size;
  }

  /** The guarantee that the `topics` table of the bus names for a topic or topic pattern; undefined where it names none. */
  agreedDelivery(topicOrPattern: string): DeliveryGuarantee | undefined {
    return this.deps.options.topics.agreedDelivery(topicOrPattern);
  }

  /**
   * The options that the `topics` table and the definition of a topic or topic pattern name; empty where neither does.
   */
  agreedOptions(topicOrPattern: string): TopicOptions {
    return this.deps.options.topics.agreedOptions(topicOrPattern);
  }

  /**
   * What is known of a topic; a definition is known from now on. Throws ConfigurationError where another one has its name.
   */
  definitionOf(topic: string | Definition): Definition | undefined {
    const { contracts } = this.deps.options;
    const name = contracts.nameOf(topic);
    return typeof topic === 'string' ? contracts.get(name) : topic;
  }

  /** As {@link checkOutgoing}, as the bus is told to compare. */
  checkOutgoing(definition: Definition, payload: unknown): unknown {
    return checkOutgoing(definition, payload, this.deps.options.validation);
  }

  /** As {@link checkIncoming}, as the bus is told to compare. */
  checkIncoming(definition: Definition, message: Pick<Message, 'headers' | 'payload'>): unknown {
    return checkIncoming(definition, message, this.deps.options.validation);
  }

  /** As {@link checkedReplies}, as the bus is told to compare. */
  checkedReplies(request: RequestDefinition, observer: ReplyObserver): CheckedReplies | undefined {
    return checkedReplies(request, this.deps.options.validation, observer);
  }

  /** Resolves when requests to handlers of the bus can be called off; otherwise that begins with the first request. */
  prepareToRespond(): Promise<void> {
    return this.deps.responder.listen();
  }

  /**
   * Sends a request at most once, without the checks of a publish: `topic` and the headers of `call` must be checked. No
   * metric counts its publish. Otherwise as `DiscoBus.requestStream`.
   */
  request(topic: string, payload: unknown, call: DirectCall, observer: ReplyObserver): RequestHandle {
    return this.deps.requesting.ask(topic, payload, call, observer);
  }

  /** Subscribes to one of the bus's own topics, or a pattern of them, which is not checked. Otherwise as `DiscoBus.subscribe`. */
  async subscribe(
    topicOrPattern: string,
    handler: MessageHandler,
    options: OwnSubscribeOptions,
  ): Promise<Subscription> {
    const { subscriber } = this.deps;
    const wanted = subscriber.declareOwn(topicOrPattern, options, handlerName(handler));
    return subscriber.orWithdraw(wanted, subscriber.open(wanted, handler));
  }

  /** Sends `payload` at most once to one of the bus's own topics, which is not checked. No metric counts it. */
  async publish(topic: string, payload: unknown, timeoutMs: number): Promise<DriverReceipt> {
    const { channel } = this.deps;
    const body = await channel.encode(payload);
    return new Promise((accepted, failed) =>
      channel.send(topic, {}, body, { accepted, failed }, undefined, timeoutMs),
    );
  }
}

/** Lets a transport, and the Nest module, at a bus. */
export const transportAccess = grantedAccess<TransportAccess>('transport-access');
