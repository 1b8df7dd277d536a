import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import type { BusStatus } from '../bus/bus-status.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import type { Subscription } from '../bus/subscription.js';
import { ConfigurationError, NotConnectedError } from '../errors/bus.errors.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { topicMatcher } from '../message/topic-pattern.js';
import type { DiscoMessageContext } from '../middleware/message-context.js';
import { MAX_DURATION_MS } from '../timing/duration.js';
import { BusSource } from './bus-source.js';
import { eventDelivery, topicOptionsOf } from './event-delivery.js';
import { HandlerCalls, type HandlerCallsHost } from './handler-calls.js';
import {
  isOwnTopic,
  isWildcard,
  PATTERN_DIRECTORY,
  RESPONDERS,
  requestTopic,
  subscriptionOfRoute,
  topicOfRoute,
} from './pattern-topic.js';
import { type StatusEvents, StatusRelay, type TransportStatus } from './status-relay.js';
import type { DiscoBusServerOptions } from './transport-options.js';

/** The transport's id, for handlers of this transport alone: `@MessagePattern('sum', DISCO_BUS)`. */
export const DISCO_BUS: unique symbol = Symbol.for('DISCO_BUS') as never;

const CONCURRENCY = 256;

/**
 * Nest microservices over a bus: `app.connectMicroservice({ strategy: new DiscoBusServer({ url }) })`, or
 * `app.get(DiscoBusServer)` to share the bus of `DiscoBusModule`. One instance serves one microservice.
 *
 * `listen` calls back when every subscription is live; `close` stops reading and lets running handlers finish.
 */
export class DiscoBusServer extends Server<StatusEvents, TransportStatus> implements CustomTransportStrategy {
  override transportId = DISCO_BUS as never;
  /** Failed events are retried and dead-lettered by the bus, which also tells of them. */
  override readonly propagatesEventHandlerErrors = true;
  private readonly source: BusSource;
  private readonly relay: StatusRelay;
  private subscriptions: Subscription[] = [];

  /** Connects nothing. Throws ConfigurationError for options that exclude each other. */
  constructor(private readonly options: DiscoBusServerOptions = {}) {
    super();
    this.source = new BusSource(options, 'DiscoBusServer');
    this.relay = new StatusRelay((status) => this._status$.next(status));
    this.initializeSerializer(options as never);
    this.initializeDeserializer(options as never);
  }

  /** Calls back without an argument when every subscription is live, with the error when that fails. */
  listen(callback: (error?: unknown) => void): void {
    this.start().then(
      () => callback(),
      (error: unknown) => callback(error),
    );
  }

  /** Stops reading, lets running handlers finish, and closes a bus of its own. Idempotent. */
  async close(): Promise<void> {
    const subscriptions = this.subscriptions;
    this.subscriptions = [];
    if (this.source.owned) await this.source.close();
    else await Promise.all(subscriptions.map((subscription) => subscription.close()));
    this.relay.detach();
  }

  /** Calls `callback` for every status of that type: `'connected'`, `'disconnected'`, `'gap'`, `'dropped'` … */
  on<Type extends keyof StatusEvents>(type: Type, callback: StatusEvents[Type]): void {
    this.relay.on(type, callback as (status: BusStatus) => void);
  }

  /** The bus. Throws NotConnectedError before `listen`. */
  unwrap<T = DiscoBus>(): T {
    if (this.source.bus) return this.source.bus as T;
    throw new NotConnectedError('The server has no bus before listen()');
  }

  private async start(): Promise<void> {
    const bus = await this.source.open((made) => this.relay.attach(made));
    const calls = new HandlerCalls(this.host());
    const opening: Promise<Subscription>[] = [];
    if ([...this.messageHandlers.values()].some((handler) => requestHandler(handler))) {
      await bus.prepareToRespond();
    }
    opening.push(...this.subscribeDirectory(bus));
    for (const [route, handler] of this.messageHandlers) {
      opening.push(...this.subscribe(bus, calls, route, handler));
    }
    const opened = await Promise.allSettled(opening);
    this.subscriptions = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = opened.find((each) => each.status === 'rejected');
    if (!failed) return;
    await this.close();
    throw failed.reason;
  }

  private subscribe(
    bus: DiscoBus,
    calls: HandlerCalls,
    route: string,
    handler: MessageHandler,
  ): Promise<Subscription>[] {
    const opening: Promise<Subscription>[] = [];
    const answering = requestHandler(handler);
    const listening = eventHandler(handler);
    if (answering) opening.push(...this.subscribeRequests(bus, calls, route, answering));
    if (listening) opening.push(this.subscribeEvents(bus, calls, route, listening));
    return opening;
  }

  private subscribeRequests(
    bus: DiscoBus,
    calls: HandlerCalls,
    route: string,
    handler: MessageHandler,
  ): Promise<Subscription>[] {
    const { concurrency = CONCURRENCY, requests = 'one' } = this.options;
    const answer = (data: unknown, context: DiscoMessageContext) =>
      calls.request(route, handler, data, context);
    const common = { concurrency, retry: false, timeout: MAX_DURATION_MS } as const;
    const everyTopic = requestTopic(subscriptionOfRoute(route), 'every');
    const toEvery = bus.subscribe(everyTopic, answer, {
      ...common,
      delivery: 'at-most-once',
    });
    if (requests === 'every') return [toEvery];
    const toOne = bus
      .subscribe(requestTopic(topicOfRoute(route), 'one'), answer, {
        ...common,
        delivery: 'at-least-once',
        group: RESPONDERS,
        deadLetter: false,
        prefetch: 0,
      })
      .catch((error) => Promise.reject(explained(error, route)));
    return [toEvery, toOne];
  }

  /** Tells clients which of its patterns with wildcards answers what they ask for. */
  private subscribeDirectory(bus: DiscoBus): Promise<Subscription>[] {
    const patterns = [...this.messageHandlers].flatMap(([route, handler]) =>
      requestHandler(handler) && isWildcard(route) ? [{ route, matches: topicMatcher(route) }] : [],
    );
    if (this.options.requests === 'every' || patterns.length === 0) return [];
    const find = (topic: unknown) =>
      typeof topic === 'string' ? patterns.find(({ matches }) => matches(topic))?.route : undefined;
    return [bus.subscribe(PATTERN_DIRECTORY, find, { delivery: 'at-most-once' })];
  }

  private subscribeEvents(
    bus: DiscoBus,
    calls: HandlerCalls,
    route: string,
    handler: MessageHandler,
  ): Promise<Subscription> {
    const topic = subscriptionOfRoute(route);
    const extras = topicOptionsOf(handler.extras);
    const delivery = eventDelivery(bus, topic, extras.delivery ?? this.options.events, () =>
      this.logger.log(`Events of "${route}" are delivered at most once: the driver cannot do more`),
    );
    const wildcard = isWildcard(route);
    const handle = (data: unknown, context: DiscoMessageContext) =>
      wildcard && isOwnTopic(context.topic) ? undefined : calls.event(route, handler, data, context);
    return bus.subscribe(topic, handle, { ...this.options.eventOptions, ...extras, delivery });
  }

  private host(): HandlerCallsHost {
    return {
      transportId: this.transportId,
      serializer: this.options.serializer && this.serializer,
      deserializer: this.deserializer,
      logger: this.logger,
      onStart: (id, context, done) => this.onProcessingStartHook(id as never, context, done),
      onEnd: (id, context) => this.onProcessingEndHook?.(id as never, context),
      toObservable: (result) => this.transformToObservable(result),
    };
  }
}

/** The handler of requests at the head of a pattern's chain. */
function requestHandler(handler: MessageHandler): MessageHandler | undefined {
  return handler.isEventHandler ? undefined : handler;
}

/** The first handler of events in a pattern's chain; it calls the further ones itself. */
function eventHandler(handler: MessageHandler | undefined): MessageHandler | undefined {
  let each = handler as (MessageHandler & { next?: MessageHandler }) | undefined;
  while (each && !each.isEventHandler) each = each.next as typeof each;
  return each;
}

function explained(error: unknown, route: string): unknown {
  if (!isDiscoBusError(error, 'DISCO_CONFIGURATION')) return error;
  return new ConfigurationError(
    `Requests to "${route}" cannot be answered by one instance (${error.message}); say requests: 'every', or use a driver with consumer groups`,
    { cause: error },
  );
}
