import { types } from 'node:util';
import type { ZlibOptions } from 'node:zlib';
import { ConfigurationError } from '../errors/bus.errors.js';
import { CodecError, MessageTooLargeError } from '../errors/message.errors.js';
import { after } from '../message/now-or-later.js';
import { type Codec, type CodecId, Compression, type EncodedBody } from './codec.js';
import { deflate, deflateOptions, inflate, isBeyondLimit } from './gzip.js';
import { RAW_CODEC_ID } from './raw.codec.js';

/** What a {@link GoCodec} must know beside the codec of its payloads. */
export interface GoCodecOptions {
  /** -2 to 9, as Go's. @default 9, as the Go library */
  readonly level?: number;
  /** The most bytes of a payload, uncompressed, in and out. */
  readonly maxBytes: number;
}

/** Where a gzip header tells how hard was tried, by the level. */
const EFFORT_AT = 8;
/** Where a gzip header names the operating system, and what Go writes there: unknown. */
const OS_AT = 9;
const OS_UNKNOWN = 255;

/**
 * Payloads as the Go library Disco Bus puts them on Redis: gzip of the bytes, and nothing that tells what they are. Bytes
 * stay bytes; everything else becomes bytes by `codec`.
 *
 * `decode` inflates what is exactly one gzip member, takes everything else as it is, and refuses with CodecError only
 * what has or inflates to more than `maxBytes`. Bytes that `codec` cannot read are handed over as they are, in a Buffer.
 */
export class GoCodec implements Codec {
  readonly name: string;
  private readonly deflateOptions: ZlibOptions;
  /** What Go writes where a gzip header tells how hard was tried. */
  private readonly effort: number;
  private readonly maxBytes: number;
  private readonly codecId: CodecId;

  /** Throws ConfigurationError for a codec that does not say its `id`. */
  constructor(
    private readonly codec: Codec,
    { level = 9, maxBytes }: GoCodecOptions,
  ) {
    if (codec.id === undefined) {
      throw new ConfigurationError(`The codec "${codec.name}" must say its id to be used on the Go wire`);
    }
    this.name = `go(${codec.name})`;
    this.codecId = codec.id;
    this.deflateOptions = deflateOptions(level);
    this.effort = level === 9 ? 2 : level === 1 ? 4 : 0;
    this.maxBytes = maxBytes;
  }

  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    if (payload instanceof Uint8Array) return this.compress(payload);
    return after(this.codec.encode(payload), (body) => this.compress(bytesOf(body)));
  }

  decode({ data }: EncodedBody): unknown {
    return after(this.decompress(data as Uint8Array), (bytes) => this.read(bytes));
  }

  private decompress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (!beginsLikeGzip(bytes)) return bytes;
    const asItIs = (error: unknown): Uint8Array => {
      if (isBeyondLimit(error)) throw error;
      return bytes;
    };
    try {
      const inflated = inflate(bytes, this.maxBytes);
      return types.isPromise(inflated) ? inflated.catch(asItIs) : inflated;
    } catch (error) {
      return asItIs(error);
    }
  }

  private compress(bytes: Uint8Array): EncodedBody | Promise<EncodedBody> {
    if (bytes.length > this.maxBytes) throw new MessageTooLargeError(bytes.length, this.maxBytes);
    const compressed = deflate(bytes, this.deflateOptions);
    const written = (member: Buffer) => asGoWrites(member, this.effort, bytes.length);
    return after(compressed, written);
  }

  private read(bytes: Uint8Array): unknown {
    if (bytes.length > this.maxBytes) {
      throw new CodecError(`The payload has ${bytes.length} bytes; the limit is ${this.maxBytes}`);
    }
    const unreadable = () => Buffer.from(bytes);
    try {
      const payload = this.codec.decode({ data: bytes, codec: this.codecId, compression: Compression.none });
      return types.isPromise(payload) ? payload.catch(unreadable) : payload;
    } catch {
      return unreadable();
    }
  }
}

function beginsLikeGzip(bytes: Uint8Array): boolean {
  return bytes.length > 1 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function bytesOf({ data, compression }: EncodedBody): Uint8Array {
  if (compression !== Compression.none)
    throw new CodecError('On the Go wire a codec must not compress by itself');
  return typeof data === 'string' ? Buffer.from(data) : data;
}

function asGoWrites(member: Buffer, effort: number, plainBytes: number): EncodedBody {
  member[EFFORT_AT] = effort;
  member[OS_AT] = OS_UNKNOWN;
  return { data: member, codec: RAW_CODEC_ID, compression: Compression.gzip, plainBytes };
}
