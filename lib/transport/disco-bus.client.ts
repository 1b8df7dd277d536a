import { Logger } from '@nestjs/common';
import type { ReadPacket, WritePacket } from '@nestjs/microservices';
import type { BusStatus } from '../bus/bus-status.js';
import type { Subscription } from '../bus/consume/subscription.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import { isHex128, random128 } from '../bus/requests/request-headers.js';
import { type TransportAccess, transportAccess } from '../bus/transport-access.js';
import { type Definition, isRequest, type TopicDefinition } from '../contract/definition.js';
import { ClosedError, ConfigurationError, NotConnectedError } from '../errors/bus.errors.js';
import { toHeaders } from '../message/headers.js';
import { isThenable } from '../middleware/middleware.js';
import { toMilliseconds } from '../timing/duration.js';
import { Ring, unlink } from '../timing/ring.js';
import { BusSource } from './bus-source.js';
import { ClientRequest, type ClientRequestHost } from './client-request.js';
import { type DiscoRecordOptions, isRecord } from './disco-record.js';
import { eventDelivery } from './event-delivery.js';
import { InstanceDirectory } from './instance-directory.js';
import { packetHeaders } from './packet.js';
import { NEWS_TOPIC, topicOfRoute } from './pattern-topic.js';
import { ReplyReader } from './reply-reader.js';
import { type StatusEvents, StatusRelay } from './status-relay.js';
import { assertClientOptions } from './transport-option-kinds.js';
import type { DiscoBusClientOptions } from './transport-options.js';
import { TypedClient } from './typed-client.js';

/**
 * A client of Nest microservices over a bus: `ClientsModule.register([{ name, customClass: DiscoBusClient, options }])`.
 * It connects with the first message, or by `connect`; messages wait for the connection no longer than their own time.
 *
 * `send` fails with what the handler's filters made of its error, with NoRespondersError, or with RequestTimeoutError;
 * unsubscribing calls the handler's work off. `emit` fails as `bus.publish` does. Both take a definition in place of a pattern, and
 * are typed by it.
 */
export class DiscoBusClient extends TypedClient {
  private readonly logger = new Logger('DiscoBusClient');
  private readonly source: BusSource;
  private readonly relay: StatusRelay;
  /** Without a serializer the data itself is the payload, so that any other bus can read it. */
  private readonly plain: boolean;
  private readonly open = new Ring<ClientRequest>();
  private readonly directory = new InstanceDirectory();
  /** By a pattern's normal form. */
  private readonly topics = new Map<string, string>();
  private readonly timeoutMs: number | undefined;
  private requests: ClientRequestHost | undefined;
  private news: Promise<Subscription> | undefined;
  private fallbackTold = false;

  /**
   * They hold passwords, so they are behind a function: whoever shows this shows none. A `#private` field would not be there
   * where Nest's `instrument` puts a Proxy in front of this.
   */
  private readonly options: () => DiscoBusClientOptions;

  /** Connects nothing. Throws ConfigurationError for options that exclude each other. */
  constructor(options: DiscoBusClientOptions = {}) {
    super();
    this.options = () => options;
    assertClientOptions(options);
    this.source = new BusSource(options, 'DiscoBusClient');
    this.relay = new StatusRelay((status) => this._status$.next(status));
    this.initializeSerializer(options as never);
    this.initializeDeserializer(options as never);
    this.plain = options.serializer === undefined;
    const { timeout } = options;
    this.timeoutMs = timeout === undefined ? undefined : toMilliseconds(timeout, 'timeout', { minMs: 1 });
  }

  /** Resolves when messages can be sent. Idempotent; may be tried again after it rejected, or after `close`. */
  async connect(): Promise<void> {
    await this.source.open((bus) => this.attach(bus));
  }

  /** Fails the requests that wait with ClosedError, and closes a bus of its own. Idempotent. */
  async close(): Promise<void> {
    for (const request of this.open.items()) request.fail(new ClosedError('Connection closed'));
    const { news } = this;
    this.news = undefined;
    const quiet = this.source.owned ? undefined : news?.then((each) => each.close()).catch(() => {});
    // Not live yet, it may never be; should it come to be so, it is closed then.
    if (this.source.bus?.state !== 'connecting') await quiet;
    await this.source.close();
    this.relay.detach();
  }

  /** Calls `callback` for every status of that type: `'connected'`, `'disconnected'`, `'gap'`, `'dropped'` … */
  override on<Type extends keyof StatusEvents>(type: Type, callback: StatusEvents[Type]): void {
    this.relay.on(type, callback as (status: BusStatus) => void);
  }

  /** The bus. Throws NotConnectedError before `connect`. */
  unwrap<T = DiscoBus>(): T {
    return this.bus() as T;
  }

  protected publish(
    packet: ReadPacket,
    callback: (packet: WritePacket) => void,
    definition?: Definition,
  ): () => void {
    try {
      return this.request(packet, callback, definition);
    } catch (err) {
      callback({ err });
      return () => {};
    }
  }

  protected async dispatchEvent<T>(packet: ReadPacket, definition?: Definition): Promise<T> {
    const bus = this.source.bus ?? (await this.made());
    const { data, options } = this.opened(packet);
    const topic = definition?.name ?? this.topicOf(packet.pattern);
    this.known(transportAccess(bus), definition ?? topic);
    const delivery = eventDelivery(bus, topic, this.options().events, () => this.tellFallback());
    const plainPacket = { ...packet, data };
    const payload = this.plain ? data : await this.serializer.serialize(plainPacket);
    const headers = packetHeaders(packet, this.plain, options.headers);
    await bus.publish((definition as TopicDefinition) ?? topic, payload, { ...options, headers, delivery });
    return undefined as T;
  }

  private request(
    packet: ReadPacket,
    callback: (packet: WritePacket) => void,
    given: Definition | undefined,
  ): () => void {
    const { data, options } = this.opened(packet);
    if (options !== noOptions) assertForRequest(options);
    const host = this.hostOf(this.bus());
    const topic = this.topicOf(packet.pattern);
    const known = this.known(host.access, given ?? topic);
    const definition = known && isRequest(known) ? known : undefined;
    if (given && !definition) throw new ConfigurationError(`"${given.name}" is a topic: emit it`);
    const { timeout = definition?.parts.requestTimeout } = options;
    const headers = packetHeaders(packet, this.plain, options.headers);
    const request = new ClientRequest(host, {
      topic,
      definition,
      name: this.normalizePattern(packet.pattern as never),
      payload: this.plain ? data : this.serializer.serialize({ ...packet, data, id: random128() } as never),
      timeoutMs:
        timeout === undefined
          ? (this.timeoutMs ?? host.access.requestTimeoutMs)
          : toMilliseconds(timeout, 'timeout', { minMs: 1 }),
      headers: headers && toHeaders(headers),
      callback,
    });
    this.open.add(request);
    const checking = definition && host.access.checkOutgoing(definition, data);
    if (!isThenable(checking)) request.start();
    else
      (checking as Promise<unknown>).then(
        () => request.start(),
        (error) => request.fail(error),
      );
    return () => request.callOff();
  }

  /** What is known of a topic. Throws ConfigurationError where a serializer would hide the data from its schema. */
  private known(access: TransportAccess, topic: string | Definition): Definition | undefined {
    const definition = access.definitionOf(topic);
    if (definition === undefined || (this.plain && !this.options().deserializer)) return definition;
    throw new ConfigurationError(
      `"${definition.name}" has a definition, and its schema is for the data itself: a client with a serializer or deserializer cannot send it`,
    );
  }

  protected whenMade(start: () => void, failed: (error: unknown) => void): void {
    if (this.source.bus) start();
    else this.made().then(start, failed);
  }

  private made(): Promise<DiscoBus> {
    return this.source.made((bus) => this.attach(bus));
  }

  private attach(bus: DiscoBus): void {
    this.relay.attach(bus);
    this.requests = undefined;
  }

  private hostOf(bus: DiscoBus): ClientRequestHost {
    const access = transportAccess(bus);
    if (this.requests?.access === access) return this.requests;
    const { requests: mode = 'one', deserializer } = this.options();
    if (mode === 'one') this.listen(access);
    this.requests = {
      access,
      mode,
      directory: this.directory,
      reader: (callback, replyIsPacket) =>
        deserializer || replyIsPacket ? new ReplyReader(this.deserializer, callback) : undefined,
      onEnded: unlink,
    };
    return this.requests;
  }

  /** Servers that come and go say so; without it that is found out later. */
  private listen(access: TransportAccess): void {
    const onNews = (news: { up?: unknown; down?: unknown } | null) => {
      if (typeof news?.up === 'string') this.directory.cameUp();
      if (isHex128(news?.down)) this.directory.goesDown(news.down);
    };
    this.news = access.subscribe(NEWS_TOPIC, onNews, { delivery: 'at-most-once' });
    this.news.catch(() => {});
  }

  private topicOf(pattern: unknown): string {
    const route = this.normalizePattern(pattern as never);
    const known = this.topics.get(route);
    if (known !== undefined) return known;
    const topic = topicOfRoute(route);
    if (this.topics.size >= REMEMBERED) this.topics.clear();
    this.topics.set(route, topic);
    return topic;
  }

  private opened({ data }: ReadPacket): { data: unknown; options: DiscoRecordOptions } {
    if (!isRecord(data)) return { data, options: noOptions };
    return { data: data.data, options: data.options };
  }

  private bus(): DiscoBus {
    if (this.source.bus) return this.source.bus;
    throw new NotConnectedError('The client has no bus before connect()');
  }

  private tellFallback(): void {
    if (this.fallbackTold) return;
    this.fallbackTold = true;
    this.logger.log('Events are delivered at most once: the driver cannot do more');
  }
}

const noOptions: DiscoRecordOptions = {};
/** Patterns whose topics are remembered at a time; beyond that the memory begins again. */
const REMEMBERED = 10_000;

function assertForRequest({ headers: _, timeout: __, ...others }: DiscoRecordOptions): void {
  const given = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length === 0) return;
  throw new ConfigurationError(`A request takes headers and a timeout; ${given.join(', ')} is for events`);
}
