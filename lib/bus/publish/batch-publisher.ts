import { types } from 'node:util';
import type { BufferLimit } from '../../driver/driver.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { BatchPartlySentError } from '../../errors/publish.errors.js';
import type { PublishOptions, PublishReceipt } from '../options/bus-options.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { InFlightPublishes } from './in-flight-publishes.js';
import type { Publication } from './publication.js';
import {
  type EncodingPublication,
  heldBytes,
  isUsual,
  type PublicationWriter,
} from './publication-writer.js';

/** A batch takes this part of what may be under way, so that other publishes find room beside it. */
const CHUNKS = 4;

/** Messages of a batch from one place up to another, encoded. */
interface Chunk {
  readonly messages: readonly Publication[];
  readonly end: number;
}

/** Headers of the message at `index` of a batch; the same each time it is asked. */
export type HeadersOfMember = (index: number) => Readonly<Record<string, string>> | undefined;

/** A batch, and how it is published. */
interface Batch {
  readonly topic: string;
  readonly payloads: readonly unknown[];
  readonly options: PublishOptions;
  readonly headersOf?: HeadersOfMember;
}

/** What is sent of a batch, up to a place. */
interface SentChunk {
  readonly sent: readonly Promise<PublishReceipt>[];
  readonly end: number;
}

/** Publishes batches a chunk at a time, so that the encoded messages need not all be kept. */
export class BatchPublisher {
  /** What a batch sends at a time. */
  private readonly chunk: BufferLimit;
  /** The same for messages that travel alone, without a bundle. */
  private readonly lonelyMessages: number;

  constructor(
    { publishLimit, engine }: ResolvedOptions,
    private readonly writer: PublicationWriter,
    private readonly inFlight: InFlightPublishes,
    private readonly send: (publication: Publication) => Promise<PublishReceipt>,
  ) {
    const { bufferLimit = publishLimit } = engine;
    this.chunk = {
      messages: Math.ceil(publishLimit.messages / CHUNKS),
      bytes: Math.min(Math.ceil(publishLimit.bytes / CHUNKS), bufferLimit.bytes),
    };
    this.lonelyMessages = Math.min(this.chunk.messages, bufferLimit.messages);
  }

  /**
   * Publishes all or, if one of them cannot be encoded, none. What is more than one chunk is encoded twice: first to find
   * what is at fault, then chunk after chunk.
   */
  async publish(batch: Batch): Promise<PublishReceipt[]> {
    const { length } = batch.payloads;
    if (length === 0) return [];
    const written = this.write(batch, 0);
    // Sent before this function returns where nothing has to be waited for, so that no later publish overtakes it.
    const first = types.isPromise(written) ? await written : written;
    for (let { end } = first; end < length; ) ({ end } = await this.write(batch, end));
    const only = first.end === length ? first : undefined;
    const outcome = new BatchOutcome(batch.topic, length);
    for (let start = 0; start < length; ) {
      try {
        const chunk = await this.sendChunk(batch, start, only);
        await outcome.add(start, chunk.sent);
        start = chunk.end;
      } catch (error) {
        throw outcome.failure(error);
      }
    }
    return outcome.receipts as PublishReceipt[];
  }

  /** From `start` on as much as is sent at a time, and one message at least. */
  private write({ topic, payloads, options, headersOf }: Batch, start: number): Chunk | Promise<Chunk> {
    const together = isUsual(options) && !this.writer.isKeyed(topic, options);
    const most = together ? this.chunk.messages : this.lonelyMessages;
    const written: (Publication | EncodingPublication)[] = [];
    let bytes = 0;
    let end = start;
    while (end < payloads.length && written.length < most && bytes < this.chunk.bytes) {
      const message = this.tryWrite(topic, payloads[end], memberOptions(options, end, headersOf?.(end)));
      bytes += heldBytes(message);
      written.push(message);
      end++;
    }
    if (!written.some(types.isPromise)) return { messages: written as Publication[], end };
    return Promise.all(written as EncodingPublication[]).then((messages) => ({ messages, end }));
  }

  /** With a rejection for whatever is at fault, so that none of several goes unheard. */
  private tryWrite(
    topic: string,
    payload: unknown,
    options: PublishOptions,
  ): Publication | EncodingPublication {
    try {
      return this.writer.write(topic, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Sends a chunk once there is room for it. */
  private async sendChunk(batch: Batch, start: number, written: Chunk | undefined): Promise<SentChunk> {
    const { chunk, inFlight, writer } = this;
    if (written && this.hasRoomFor(written)) return this.sendAll(written);
    await inFlight.room(chunk, writer.timeoutOf(batch.options));
    // Its place, while it is encoded.
    inFlight.began(chunk.bytes);
    try {
      return this.sendAll(await this.write(batch, start));
    } finally {
      inFlight.ended(chunk.bytes);
    }
  }

  private hasRoomFor({ messages }: Chunk): boolean {
    let bytes = 0;
    for (const { bodyBytes } of messages) bytes += bodyBytes;
    return this.inFlight.hasRoom(bytes, messages.length);
  }

  private sendAll({ messages, end }: Chunk): SentChunk {
    return { sent: messages.map(this.send), end };
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

/** The options of one message of a batch: an id of the caller's own gets the message's place in the batch. */
function memberOptions(
  options: PublishOptions,
  index: number,
  own: ReturnType<HeadersOfMember>,
): PublishOptions {
  const whole = own === undefined ? options : { ...options, headers: { ...options.headers, ...own } };
  return options.id === undefined ? whole : { ...whole, id: `${options.id}.${index}` };
}
