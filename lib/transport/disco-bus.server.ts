import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import type { BusStatus } from '../bus/bus-status.js';
import type { Subscription } from '../bus/consume/subscription.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import { WHO_TOPIC } from '../bus/operate/rpc-instances.js';
import { transportAccess } from '../bus/transport-access.js';
import type { TopicDefinition } from '../contract/definition.js';
import { ClosedError, NotConnectedError } from '../errors/bus.errors.js';
import type { DiscoMessageContext } from '../middleware/message-context.js';
import { MAX_DURATION_MS } from '../timing/duration.js';
import { BusSource } from './bus-source.js';
import { definitionIn, eventDelivery, topicOptionsOf, usualOptions } from './event-delivery.js';
import { HandlerCalls, type HandlerCallsHost } from './handler-calls.js';
import { InstancePresence } from './instance-presence.js';
import { WHERE_HEADER } from './packet.js';
import { everyTopic, instanceTopic, oneLabel, subscriptionOfRoute, topicOfRoute } from './pattern-topic.js';
import { RequestLog } from './request-log.js';
import { expectShutdownHooks } from './shutdown-hooks.js';
import { type StatusEvents, StatusRelay, type TransportStatus } from './status-relay.js';
import { assertServerOptions } from './transport-option-kinds.js';
import type { DiscoBusServerOptions } from './transport-options.js';
import { noteTrueFailures } from './true-failures.js';

/** The transport's id, for handlers of this transport alone: `@MessagePattern('sum', DISCO_BUS)`. */
export const DISCO_BUS: unique symbol = Symbol.for('DISCO_BUS') as never;

const CONCURRENCY = 256;

type RequestHandler = (data: unknown, context: DiscoMessageContext) => unknown;

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
  private readonly presence = new InstancePresence();
  private hooked = false;
  private readonly eventHandlers: { readonly route: string; readonly handler: MessageHandler }[] = [];
  private subscriptions: Subscription[] = [];
  /** Names the `listen` that counts; a `close` in between ends it. */
  private listening: symbol | undefined;
  private forgetHooks = () => {};

  /**
   * They hold passwords, so they are behind a function: whoever shows this shows none. A `#private` field would not be there
   * where Nest's `instrument` puts a Proxy in front of this.
   */
  private readonly options: () => DiscoBusServerOptions;

  /** Connects nothing. Throws ConfigurationError for options that exclude each other. */
  constructor(options: DiscoBusServerOptions = {}) {
    super();
    this.options = () => options;
    assertServerOptions(options);
    noteTrueFailures();
    this.source = new BusSource(options, 'DiscoBusServer');
    this.relay = new StatusRelay((status) => this._status$.next(status));
    this.initializeSerializer(options as never);
    this.initializeDeserializer(options as never);
  }

  /** Calls back without an argument when every subscription is live, with the error when that fails. */
  listen(callback: (error?: unknown) => void): void {
    this.start().then(
      () => {
        this.forgetHooks = expectShutdownHooks((text) => this.logger.warn(text));
        callback();
      },
      (error: unknown) => callback(error),
    );
  }

  /**
   * Stops reading, lets running handlers finish within the bus's `shutdownTimeout`, and closes a bus of its own. It ends a
   * `listen` that is under way. Idempotent.
   */
  async close(): Promise<void> {
    const subscriptions = this.subscriptions;
    this.subscriptions = [];
    this.listening = undefined;
    await this.presence.end(this.source.bus);
    this.forgetHooks();
    if (this.source.owned) await this.source.close();
    else await Promise.all(subscriptions.map((subscription) => subscription.close()));
    this.relay.detach();
  }

  /** As Nest's own, save that each event handler stays by itself: it has its own group, attempts and dead letters. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    if (!isEventHandler) {
      super.addHandler(pattern, callback, isEventHandler, extras);
      return;
    }
    const route = this.normalizePattern(pattern as never);
    this.eventHandlers.push({ route, handler: Object.assign(callback, { isEventHandler, extras }) });
    if (!this.messageHandlers.has(route)) this.messageHandlers.set(route, callback);
  }

  override setOnProcessingStartHook(...given: Parameters<Server['setOnProcessingStartHook']>): void {
    this.hooked = true;
    super.setOnProcessingStartHook(...given);
  }

  override setOnProcessingEndHook(...given: Parameters<Server['setOnProcessingEndHook']>): void {
    this.hooked = true;
    super.setOnProcessingEndHook(...given);
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
    const listening = Symbol('listening');
    this.listening = listening;
    const bus = await this.source.open((made) => this.relay.attach(made));
    // The module of a shared bus goes on without a connection, and so does its server, which is live when there is one.
    await bus.firstConnection();
    const calls = new HandlerCalls(this.host(bus));
    const opening: Promise<Subscription>[] = [];
    const answers = [...this.messageHandlers.values()].some((handler) => requestHandler(handler));
    if (answers) await transportAccess(bus).prepareToRespond();
    this.presence.answersAlone = answers && (this.options().requests ?? 'one') === 'one';
    for (const [route, handler] of this.messageHandlers) {
      const answering = requestHandler(handler);
      if (answering) opening.push(...this.subscribeRequests(bus, calls, route, answering));
    }
    if (answers) opening.push(this.subscribeWho(bus));
    for (const { route, handler } of this.eventHandlers) {
      opening.push(this.subscribeEvents(bus, calls, route, handler));
    }
    const opened = await Promise.allSettled(opening);
    this.subscriptions = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const failed = opened.find((each) => each.status === 'rejected');
    if (!failed && this.listening === listening) {
      this.presence.sayHello(bus);
      return;
    }
    await this.close();
    throw failed?.reason ?? new ClosedError('The server was closed before it was listening');
  }

  /** What all instances are asked, and what this one alone is asked. */
  private subscribeRequests(
    bus: DiscoBus,
    calls: HandlerCalls,
    route: string,
    handler: MessageHandler,
  ): Promise<Subscription>[] {
    const { concurrency = CONCURRENCY, requests = 'one' } = this.options();
    const topic = topicOfRoute(route);
    const ownTopic = instanceTopic(this.presence.instance, topic);
    const whereabouts = this.presence.whereabouts(ownTopic);
    const answer = calls.answering(route, handler);
    const options = {
      concurrency,
      retry: false,
      timeout: MAX_DURATION_MS,
      delivery: 'at-most-once',
    } as const;
    const answerAll: RequestHandler = (data, context) =>
      context.headers[WHERE_HEADER] === undefined ? answer(data, context) : whereabouts();
    const access = transportAccess(bus);
    const traced = { as: route, wanted: isRequest };
    const toEvery = access.subscribe(everyTopic(subscriptionOfRoute(route)), answerAll, {
      ...options,
      traced,
    });
    if (requests === 'every') return [toEvery];
    return [toEvery, access.subscribe(ownTopic, answer, { ...options, label: oneLabel(topic), traced })];
  }

  /** Whoever asks is told who this is and what it answers. */
  private subscribeWho(bus: DiscoBus): Promise<Subscription> {
    const access = transportAccess(bus);
    const patterns = [...this.messageHandlers].flatMap(([route, handler]) =>
      requestHandler(handler) ? [route] : [],
    );
    const who = this.presence.who(bus, patterns.sort());
    return access.subscribe(WHO_TOPIC, who, { retry: false, delivery: 'at-most-once' });
  }

  private subscribeEvents(
    bus: DiscoBus,
    calls: HandlerCalls,
    route: string,
    handler: MessageHandler,
  ): Promise<Subscription> {
    const definition = definitionIn(handler.extras) as TopicDefinition | undefined;
    if (definition) transportAccess(bus).definitionOf(definition);
    const topic = definition?.name ?? subscriptionOfRoute(route);
    const extras = topicOptionsOf(handler.extras);
    const delivery = eventDelivery(bus, topic, extras.delivery ?? this.options().events, () =>
      this.logger.log(`Events of "${route}" are delivered at most once: the driver cannot do more`),
    );
    const handle = (data: unknown, context: DiscoMessageContext) =>
      calls.event(route, handler, data, context);
    const name = `@EventPattern(${JSON.stringify(route)})`;
    const usual = usualOptions(bus, topic, this.options().eventOptions);
    return bus.subscribe(definition ?? topic, handle, { name, ...usual, ...extras, delivery });
  }

  private host(bus: DiscoBus): HandlerCallsHost {
    return {
      transportId: this.transportId,
      serializer: this.options().serializer && this.serializer,
      deserializer: this.deserializer,
      readsPlainly: this.options().deserializer === undefined,
      access: transportAccess(bus),
      hooked: () => this.hooked,
      log: new RequestLog(transportAccess(bus).logger),
      onStart: (id, context, done) => this.onProcessingStartHook(id as never, context, done),
      onEnd: (id, context) => this.onProcessingEndHook?.(id as never, context),
      toObservable: (result) => this.transformToObservable(result),
    };
  }
}

/** Whether it is for the handler, and does not ask where that is. */
function isRequest({ headers }: DiscoMessageContext): boolean {
  return headers[WHERE_HEADER] === undefined;
}

/** The handler of requests at the head of a pattern's chain. */
function requestHandler(handler: MessageHandler): MessageHandler | undefined {
  return handler.isEventHandler ? undefined : handler;
}
