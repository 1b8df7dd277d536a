import { Logger } from '@nestjs/common';
import { ClientProxy, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import type { BusStatus } from '../bus/bus-status.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import { random128 } from '../bus/requests/request-headers.js';
import { ClosedError, ConfigurationError, NotConnectedError } from '../errors/bus.errors.js';
import { BusSource } from './bus-source.js';
import { ClientRequest } from './client-request.js';
import { DiscoRecord, type DiscoRecordOptions } from './disco-record.js';
import { eventDelivery } from './event-delivery.js';
import { packetHeaders } from './packet.js';
import { PatternDirectory } from './pattern-directory.js';
import { topicOfRoute } from './pattern-topic.js';
import { ReplyReader } from './reply-reader.js';
import { type StatusEvents, StatusRelay } from './status-relay.js';
import type { DiscoBusClientOptions } from './transport-options.js';

/**
 * A client of Nest microservices over a bus: `ClientsModule.register([{ name, customClass: DiscoBusClient, options }])`.
 * It connects with the first message, or by `connect`.
 *
 * `send` fails with what the handler's filters made of its error, with NoRespondersError, or with RequestTimeoutError;
 * unsubscribing calls the handler's work off. `emit` fails as `bus.publish` does.
 */
export class DiscoBusClient extends ClientProxy<StatusEvents, string> {
  private readonly logger = new Logger('DiscoBusClient');
  private readonly source: BusSource;
  private readonly relay: StatusRelay;
  /** Without a serializer the data itself is the payload, so that any other bus can read it. */
  private readonly plain: boolean;
  private readonly open = new Set<ClientRequest>();
  private readonly directory = new PatternDirectory();
  private fallbackTold = false;

  /** Connects nothing. Throws ConfigurationError for options that exclude each other. */
  constructor(private readonly options: DiscoBusClientOptions = {}) {
    super();
    this.source = new BusSource(options, 'DiscoBusClient');
    this.relay = new StatusRelay((status) => this._status$.next(status));
    this.initializeSerializer(options as never);
    this.initializeDeserializer(options as never);
    this.plain = options.serializer === undefined;
  }

  /** Resolves when messages can be sent. Idempotent; may be tried again after it rejected, or after `close`. */
  async connect(): Promise<void> {
    await this.source.open((bus) => this.relay.attach(bus));
  }

  /** Fails the requests that wait with ClosedError, and closes a bus of its own. Idempotent. */
  async close(): Promise<void> {
    for (const request of [...this.open]) request.fail(new ClosedError('Connection closed'));
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

  protected publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    try {
      return this.request(packet, callback);
    } catch (err) {
      callback({ err });
      return () => {};
    }
  }

  protected async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    const bus = this.bus();
    const { data, options } = this.opened(packet);
    const topic = topicOfRoute(this.normalizePattern(packet.pattern));
    const delivery = eventDelivery(bus, topic, this.options.events, () => this.tellFallback());
    const plainPacket = { ...packet, data };
    const payload = this.plain ? data : await this.serializer.serialize(plainPacket);
    const { id, delay, ttl, timeout } = options;
    const headers = packetHeaders(packet, this.plain, options.headers);
    await bus.publish(topic, payload, { headers, id, ttl, timeout, delay, delivery });
    return undefined as T;
  }

  private request(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const { data, options } = this.opened(packet);
    assertForRequest(options);
    const payload = this.plain
      ? data
      : this.serializer.serialize({ ...packet, data, id: random128() } as never);
    const { requests: mode = 'one' } = this.options;
    const request = new ClientRequest({
      bus: this.bus(),
      topic: topicOfRoute(this.normalizePattern(packet.pattern)),
      mode,
      payload,
      timeout: options.timeout ?? this.options.timeout,
      headers: packetHeaders(packet, this.plain, options.headers),
      directory: this.directory,
      reader: new ReplyReader(this.deserializer, callback),
      onEnded: () => this.open.delete(request),
    });
    this.open.add(request);
    request.start();
    return () => request.callOff();
  }

  private opened({ data }: ReadPacket): { data: unknown; options: DiscoRecordOptions } {
    if (!(data instanceof DiscoRecord)) return { data, options: {} };
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

function assertForRequest({ id, delay, ttl }: DiscoRecordOptions): void {
  if (id === undefined && delay === undefined && ttl === undefined) return;
  throw new ConfigurationError('A request takes headers and a timeout; id, delay and ttl are for events');
}
