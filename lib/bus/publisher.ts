import { types } from 'node:util';
import type { Codec, EncodedBody } from '../codec/codec.js';
import type { MessagePublishOptions } from '../driver/message-driver.js';
import { AbortedError, ConfigurationError } from '../errors/bus.errors.js';
import { CodecError, MessageTooLargeError, MessageUndefinedError } from '../errors/message.errors.js';
import { bodyBytes } from '../message/frame.js';
import { type Headers, KEY_HEADER, toHeaders } from '../message/headers.js';
import { assertKey, assertMessageId } from '../message/message-id.js';
import { CORRELATION_HEADER, currentCorrelationId } from '../middleware/correlation.js';
import { toMilliseconds } from '../timing/duration.js';
import { WallTime } from '../timing/wall-time.js';
import type { PublishOptions, PublishReceipt } from './bus-options.js';
import type { ExpectedSubscriptions } from './expected-subscriptions.js';
import { Publication, type PublicationHead, Publications } from './publication.js';
import { type PublishLane, PublishLanes } from './publish-lanes.js';
import type { ResolvedOptions } from './resolved-options.js';

const noOptions: PublishOptions = {};
const nothing = () => {};

/** Turns payloads into encoded messages and hands them to the driver. */
export class Publisher {
  private readonly lanes: PublishLanes;
  private readonly publications: Publications;
  private readonly wallTime: WallTime;
  /** By topic, the last message that is still being encoded: later ones must not overtake it. */
  private readonly encoding = new Map<string, Promise<void>>();

  constructor(
    private readonly options: ResolvedOptions,
    expected: ExpectedSubscriptions,
  ) {
    this.lanes = new PublishLanes(options, expected);
    this.publications = new Publications(options.publishTimeoutMs, options.clock);
    this.wallTime = new WallTime(options.clock);
  }

  /** Publishes one message. Rejects, with nothing sent, for anything the caller got wrong. */
  publish(topic: string, payload: unknown, options: PublishOptions = noOptions): Promise<PublishReceipt> {
    try {
      const prepared = this.prepare(topic, payload, options);
      if (this.encoding.size > 0 || types.isPromise(prepared)) return this.sendInTurn(topic, prepared);
      return this.send(prepared);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Publishes all or, if one of them cannot be encoded, none. */
  async publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = noOptions,
  ): Promise<PublishReceipt[]> {
    const encoded = payloads.map((payload, index) =>
      this.tryPrepare(topic, payload, memberOptions(options, index)),
    );
    const prepared = encoded.some(types.isPromise)
      ? await Promise.all(encoded as Promise<Publication>[])
      : (encoded as Publication[]);
    const sent = prepared.map((message) => this.send(message));
    try {
      return await Promise.all(sent);
    } catch (error) {
      await Promise.allSettled(sent);
      throw error;
    }
  }

  /** Rejects for what {@link publish} would find wrong with the message itself; sends nothing. */
  async check(topic: string, payload: unknown, options: PublishOptions): Promise<void> {
    await this.prepare(topic, payload, options);
  }

  /** Resolves when no publish is under way. */
  idle(): Promise<void> {
    return this.publications.idle();
  }

  /** Another subscription may disagree with what was remembered. */
  forgetTopics(): void {
    this.lanes.forget();
  }

  close(): void {
    this.publications.close();
  }

  /** Checks and encodes a message; sends nothing. */
  private prepare(
    topic: string,
    payload: unknown,
    options: PublishOptions,
  ): Publication | Promise<Publication> {
    const startedMs = this.options.clock.monotonic();
    const lane = this.lanes.get(topic, options.delivery);
    if (payload === undefined) throw new MessageUndefinedError(topic);
    if (options !== noOptions) lane.wire.assertCarries(topic, options);
    const head = {
      id: options.id === undefined ? lane.ids.prefix : assertMessageId(options.id),
      idNumber: options.id === undefined ? lane.ids.next() : undefined,
      timestamp: this.wallTime.at(startedMs),
      headers: outgoingHeaders(lane, options),
      options: this.driverOptions(lane, options),
      startedMs,
    };
    const body = encode(lane.wire.codec, payload);
    return types.isPromise(body)
      ? body.then((encoded) => this.pack(lane, head, encoded))
      : this.pack(lane, head, body);
  }

  /** The same with a rejection for whatever is at fault, so that none of several goes unheard. */
  private tryPrepare(
    topic: string,
    payload: unknown,
    options: PublishOptions,
  ): Publication | Promise<Publication> {
    try {
      return this.prepare(topic, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private pack(lane: PublishLane, head: PublicationHead, body: EncodedBody): Publication {
    const { maxMessageBytes } = this.options;
    const size = bodyBytes(body.data);
    const plainBytes = body.plainBytes ?? size;
    if (plainBytes > maxMessageBytes) throw new MessageTooLargeError(plainBytes, maxMessageBytes);
    return new Publication(this.publications, lane, head, body, size);
  }

  private async sendInTurn(
    topic: string,
    prepared: Publication | Promise<Publication>,
  ): Promise<PublishReceipt> {
    const ready = Promise.all([prepared, this.encoding.get(topic)]).then(([message]) => message);
    const settled = ready.then(nothing, nothing);
    this.encoding.set(topic, settled);
    void settled.then(() => {
      if (this.encoding.get(topic) === settled) this.encoding.delete(topic);
    });
    return this.send(await ready);
  }

  private send(publication: Publication): Promise<PublishReceipt> {
    const receipt = publication.receipt();
    const { lane, options } = publication;
    this.options.driver.send(lane.topic, lane.wire.outgoing(publication), options, publication);
    return receipt;
  }

  private driverOptions(lane: PublishLane, options: PublishOptions): MessagePublishOptions {
    if (isUsual(options)) return lane.usual;
    const { publishTimeoutMs, clock, driver } = this.options;
    const { timeout, signal, ttl, key } = options;
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const delayMs = delayOf(options, clock.now());
    const ttlMs = ttl === undefined ? undefined : toMilliseconds(ttl, 'ttl', { minMs: 1 });
    if ((delayMs !== undefined || ttlMs !== undefined) && !lane.capabilities.delay) {
      throw new ConfigurationError(`The driver "${driver.name}" offers no delay and no ttl ${lane.delivery}`);
    }
    const timeoutMs =
      timeout === undefined ? publishTimeoutMs : toMilliseconds(timeout, 'timeout', { minMs: 1 });
    const deduplicate = options.id === undefined ? undefined : true;
    const { delivery, wire } = lane;
    return { delivery, timeoutMs, deduplicate, key, delayMs, ttlMs, signal, bare: wire.bare };
  }
}

function encode(codec: Codec, payload: unknown): EncodedBody | Promise<EncodedBody> {
  try {
    const body = codec.encode(payload);
    return types.isPromise(body) ? body.catch(rethrowAsCodecError) : body;
  } catch (error) {
    return rethrowAsCodecError(error);
  }
}

/** Whether nothing was asked for beyond headers and a guarantee. */
function isUsual({ timeout, signal, ttl, key, delay, at, id }: PublishOptions): boolean {
  return (
    timeout === undefined &&
    signal === undefined &&
    ttl === undefined &&
    key === undefined &&
    delay === undefined &&
    at === undefined &&
    id === undefined
  );
}

/** The options of one message of a batch: an id of the caller's own gets the message's place in the batch. */
function memberOptions(options: PublishOptions, index: number): PublishOptions {
  return options.id === undefined ? options : { ...options, id: `${options.id}.${index}` };
}

function outgoingHeaders(lane: PublishLane, { headers: given, key }: PublishOptions): Headers {
  const named = lane.headers.check(given);
  const headers = key === undefined ? named : toHeaders({ ...named, [KEY_HEADER]: assertKey(key) });
  const correlationId = currentCorrelationId();
  if (correlationId === undefined || headers[CORRELATION_HEADER] !== undefined) return headers;
  return toHeaders({ ...headers, [CORRELATION_HEADER]: correlationId });
}

function delayOf({ delay, at }: PublishOptions, now: number): number | undefined {
  if (delay !== undefined && at !== undefined)
    throw new ConfigurationError('delay and at exclude each other');
  if (delay !== undefined) return toMilliseconds(delay, 'delay');
  if (at === undefined) return undefined;
  return toMilliseconds(Math.max(0, Number(at) - now), 'at');
}

function rethrowAsCodecError(error: unknown): never {
  throw error instanceof CodecError || error instanceof MessageTooLargeError
    ? error
    : new CodecError('The codec failed to write the payload', { cause: error });
}
