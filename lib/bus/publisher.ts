import { types } from 'node:util';
import type { MessagePublishOptions } from '../bundling/bundle-lane.js';
import type { Codec, EncodedBody, EncodingBody } from '../codec/codec.js';
import type { BufferLimit } from '../driver/driver.js';
import { AbortedError, ConfigurationError } from '../errors/bus.errors.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { CodecError, MessageTooLargeError, MessageUndefinedError } from '../errors/message.errors.js';
import { BatchPartlySentError } from '../errors/publish.errors.js';
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

/** A batch takes this part of what may be under way, so that other publishes find room beside it. */
const CHUNKS = 4;

/** A message that is still being encoded. */
interface Encoding extends Promise<Publication> {
  /** The bytes that it holds until then, where they are known. */
  readonly plainBytes?: number;
}

/** Messages of a batch from one place up to another, encoded. */
interface Chunk {
  readonly messages: readonly Publication[];
  readonly end: number;
}

/** Turns payloads into encoded messages and hands them to the driver. */
export class Publisher {
  private readonly lanes: PublishLanes;
  private readonly publications: Publications;
  private readonly wallTime: WallTime;
  /** What a batch sends at a time. */
  private readonly chunk: BufferLimit;
  /** The same for messages that travel alone, without a bundle. */
  private readonly lonelyMessages: number;
  /** By topic, the last message that is still being encoded: later ones must not overtake it. */
  private readonly encoding = new Map<string, Promise<void>>();

  constructor(
    private readonly options: ResolvedOptions,
    expected: ExpectedSubscriptions,
  ) {
    this.lanes = new PublishLanes(options, expected);
    const { publishTimeoutMs, clock, publishLimit, engine } = options;
    this.publications = new Publications(publishTimeoutMs, clock, publishLimit);
    const { bufferLimit = publishLimit } = engine;
    this.chunk = {
      messages: Math.ceil(publishLimit.messages / CHUNKS),
      bytes: Math.min(Math.ceil(publishLimit.bytes / CHUNKS), bufferLimit.bytes),
    };
    this.lonelyMessages = Math.min(this.chunk.messages, bufferLimit.messages);
    this.wallTime = new WallTime(options.clock);
  }

  /** Publishes one message. Rejects, with nothing sent, for anything the caller got wrong, and where too much is under way. */
  publish(topic: string, payload: unknown, options: PublishOptions = noOptions): Promise<PublishReceipt> {
    try {
      if (!this.publications.hasRoom(0)) this.refuse(this.lanes.get(topic, options.delivery));
      const prepared = this.prepare(topic, payload, options);
      if (this.encoding.size > 0 || types.isPromise(prepared))
        return this.sendInTurn(topic, prepared, options);
      if (!this.publications.hasRoom(prepared.bodyBytes)) this.refuse(prepared.lane);
      return this.send(prepared);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Publishes all or, if one of them cannot be encoded, none. What is more than one chunk is encoded twice: first to find
   * what is at fault, then chunk after chunk, so that the encoded messages need not all be kept.
   */
  async publishBatch(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions = noOptions,
  ): Promise<PublishReceipt[]> {
    if (payloads.length === 0) return [];
    const prepared = this.prepareChunk(topic, payloads, options, 0);
    // Sent before this function returns where nothing has to be waited for, so that no later publish overtakes it.
    const first = types.isPromise(prepared) ? await prepared : prepared;
    for (let { end } = first; end < payloads.length; )
      ({ end } = await this.prepareChunk(topic, payloads, options, end));
    const only = first.end === payloads.length ? first : undefined;
    const outcome = new BatchOutcome(topic, payloads.length);
    for (let start = 0; start < payloads.length; ) {
      try {
        const chunk = await this.sendChunk(topic, payloads, options, start, only);
        await outcome.add(start, chunk.sent);
        start = chunk.end;
      } catch (error) {
        throw outcome.failure(error);
      }
    }
    return outcome.receipts as PublishReceipt[];
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
  private prepare(topic: string, payload: unknown, options: PublishOptions): Publication | Encoding {
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
    const body = encode(lane.codec, payload);
    if (!types.isPromise(body)) return this.pack(lane, head, body);
    const { plainBytes } = body as EncodingBody;
    return Object.assign(
      body.then((encoded) => this.pack(lane, head, encoded)),
      { plainBytes },
    );
  }

  /** The same with a rejection for whatever is at fault, so that none of several goes unheard. */
  private tryPrepare(topic: string, payload: unknown, options: PublishOptions): Publication | Encoding {
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

  /** From `start` on as much as is sent at a time, and one message at least. */
  private prepareChunk(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions,
    start: number,
  ): Chunk | Promise<Chunk> {
    const most = isUsual(options) ? this.chunk.messages : this.lonelyMessages;
    const encoded: (Publication | Encoding)[] = [];
    let bytes = 0;
    let end = start;
    while (end < payloads.length && encoded.length < most && bytes < this.chunk.bytes) {
      const message = this.tryPrepare(topic, payloads[end], memberOptions(options, end));
      bytes += heldBytes(message);
      encoded.push(message);
      end++;
    }
    if (!encoded.some(types.isPromise)) return { messages: encoded as Publication[], end };
    return Promise.all(encoded as Encoding[]).then((messages) => ({ messages, end }));
  }

  /** Sends a chunk once there is room for it. */
  private async sendChunk(
    topic: string,
    payloads: readonly unknown[],
    options: PublishOptions,
    start: number,
    prepared: Chunk | undefined,
  ): Promise<{ sent: Promise<PublishReceipt>[]; end: number }> {
    if (prepared && this.hasRoomFor(prepared)) return this.sendAll(prepared);
    await this.publications.room(this.chunk, this.timeoutOf(options));
    // Its place, while it is encoded.
    this.publications.began(this.chunk.bytes);
    try {
      return this.sendAll(await this.prepareChunk(topic, payloads, options, start));
    } finally {
      this.publications.ended(this.chunk.bytes);
    }
  }

  private hasRoomFor({ messages }: Chunk): boolean {
    let bytes = 0;
    for (const { bodyBytes } of messages) bytes += bodyBytes;
    return this.publications.hasRoom(bytes, messages.length);
  }

  private sendAll({ messages, end }: Chunk): { sent: Promise<PublishReceipt>[]; end: number } {
    return { sent: messages.map((message) => this.send(message)), end };
  }

  private refuse(lane: PublishLane): never {
    lane.metrics.published('error', 0);
    throw this.publications.refusal();
  }

  /** Behind the earlier messages of its topic that are still being encoded; it counts as under way meanwhile. */
  private async sendInTurn(
    topic: string,
    prepared: Publication | Encoding,
    options: PublishOptions,
  ): Promise<PublishReceipt> {
    const { publications } = this;
    const bytes = heldBytes(prepared);
    const ready = Promise.all([prepared, this.encoding.get(topic)]).then(([message]) => message);
    const settled = ready.then(nothing, nothing);
    if (!publications.hasRoom(bytes)) this.refuse(this.lanes.get(topic, options.delivery));
    this.encoding.set(topic, settled);
    void settled.then(() => {
      if (this.encoding.get(topic) === settled) this.encoding.delete(topic);
    });
    publications.began(bytes);
    try {
      const message = await ready;
      if (!publications.hasRoom(message.bodyBytes - bytes, 0)) this.refuse(message.lane);
      return this.send(message);
    } finally {
      publications.ended(bytes);
    }
  }

  private send(publication: Publication): Promise<PublishReceipt> {
    const receipt = publication.receipt();
    const { lane, options } = publication;
    this.options.driver.send(lane.topic, lane.wire.outgoing(publication), options, publication);
    return receipt;
  }

  private driverOptions(lane: PublishLane, options: PublishOptions): MessagePublishOptions {
    if (isUsual(options)) return lane.usual;
    const { clock, driver } = this.options;
    const { signal, ttl, key } = options;
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const delayMs = delayOf(options, clock.now());
    const ttlMs = ttl === undefined ? undefined : toMilliseconds(ttl, 'ttl', { minMs: 1 });
    if ((delayMs !== undefined || ttlMs !== undefined) && !lane.capabilities.delay) {
      throw new ConfigurationError(`The driver "${driver.name}" offers no delay and no ttl ${lane.delivery}`);
    }
    const timeoutMs = this.timeoutOf(options);
    const deduplicate = options.id === undefined ? undefined : true;
    const { delivery, wire } = lane;
    return { delivery, timeoutMs, deduplicate, key, delayMs, ttlMs, signal, bare: wire.bare };
  }

  private timeoutOf({ timeout }: PublishOptions): number {
    const { publishTimeoutMs } = this.options;
    return timeout === undefined ? publishTimeoutMs : toMilliseconds(timeout, 'timeout', { minMs: 1 });
  }
}

/** What became of each message of a batch. */
class BatchOutcome {
  readonly receipts: (PublishReceipt | undefined)[] = [];
  private readonly failed: number[] = [];
  private readonly unknown: number[] = [];

  constructor(
    private readonly topic: string,
    private readonly size: number,
  ) {}

  /** Waits until all of a chunk have settled. Rejects with the first failure. */
  async add(start: number, sent: readonly Promise<PublishReceipt>[]): Promise<void> {
    try {
      for (const receipt of await Promise.all(sent)) this.receipts.push(receipt);
    } catch (error) {
      for (const [index, result] of (await Promise.allSettled(sent)).entries()) {
        if (result.status === 'fulfilled') this.receipts[start + index] = result.value;
        else if (mayBePublished(result.reason)) this.unknown.push(start + index);
        else this.failed.push(start + index);
      }
      throw error;
    }
  }

  /** What the batch rejects with: `cause` itself where it is true of the whole batch. */
  failure(cause: unknown): unknown {
    const known = new Set([...this.failed, ...this.unknown]);
    for (let place = 0; place < this.size; place++) {
      if (this.receipts[place] === undefined && !known.has(place)) this.failed.push(place);
    }
    const isWhole = this.failed.length === this.size || this.unknown.length === this.size;
    if (isWhole) return cause;
    this.receipts.length = this.size;
    const receipts = Array.from(this.receipts);
    return new BatchPartlySentError(this.topic, receipts, this.failed, this.unknown, { cause });
  }
}

function mayBePublished(error: unknown): boolean {
  return (
    isDiscoBusError(error, 'DISCO_PUBLISH_OUTCOME_UNKNOWN') || isDiscoBusError(error, 'DISCO_NOT_REPLICATED')
  );
}

/** What a message holds, also while it is still being encoded. */
function heldBytes(message: Publication | Encoding): number {
  return types.isPromise(message) ? ((message as Encoding).plainBytes ?? 0) : message.bodyBytes;
}

function encode(codec: Codec, payload: unknown): EncodedBody | EncodingBody {
  try {
    const body = codec.encode(payload);
    if (!types.isPromise(body)) return body;
    const { plainBytes } = body as EncodingBody;
    return Object.assign(body.catch(rethrowAsCodecError), { plainBytes });
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
