import { promisify, types } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import { ConfigurationError } from '../errors/bus.errors.js';
import { CodecError } from '../errors/message.errors.js';
import { type Codec, Compression, type EncodedBody } from './codec.js';

/** How bodies are compressed. */
export interface CompressionOptions {
  /** @default 'gzip' */
  algorithm?: 'gzip';
  /** 1 (fastest) to 9 (smallest). @default 1 */
  level?: number;
  /** Bodies below this many bytes travel as they are. @default 1024 */
  threshold?: number;
}

/** What a {@link GzipCodec} must know beside its options. */
export interface InflateLimit {
  /** No body inflates to more bytes than this; a larger one is a CodecError. @default 10 MiB */
  maxBytes?: number;
}

/** Above this many bytes the work goes to a thread: at 100 MB/s, deflating more would hold the event loop for over a millisecond. */
const ASYNC_DEFLATE_BYTES = 96 * 1024;
const ASYNC_INFLATE_BYTES = 32 * 1024;

const gzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

/**
 * Compresses what another codec has encoded, from `threshold` bytes on and only where it gets smaller. Inflating is
 * bounded; a corrupt, truncated or trailing-garbage body, or one of several gzip members, is a {@link CodecError}.
 */
export class GzipCodec implements Codec {
  readonly name: string;
  private readonly thresholdBytes: number;
  private readonly deflateOptions: ZlibOptions;
  private readonly inflateOptions: ZlibOptions;

  constructor(
    private readonly inner: Codec,
    options: CompressionOptions & InflateLimit = {},
  ) {
    const { algorithm = 'gzip', level = 1, threshold = 1024, maxBytes = 10 * 1024 * 1024 } = options;
    if (algorithm !== 'gzip') throw new ConfigurationError("compression.algorithm must be 'gzip'");
    if (!Number.isInteger(level) || level < 1 || level > 9) {
      throw new ConfigurationError('compression.level must be a whole number from 1 to 9');
    }
    if (!Number.isInteger(threshold) || threshold < 0) {
      throw new ConfigurationError('compression.threshold must be a number of bytes, 0 or more');
    }
    this.name = `${inner.name}+gzip`;
    this.thresholdBytes = threshold;
    this.deflateOptions = { level };
    this.inflateOptions = { maxOutputLength: maxBytes, info: true };
  }

  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    const body = this.inner.encode(payload);
    return types.isPromise(body) ? body.then((plain) => this.deflate(plain)) : this.deflate(body);
  }

  decode(body: EncodedBody): unknown {
    if (body.compression === Compression.none) return this.inner.decode(body);
    if (body.compression !== Compression.gzip)
      throw new CodecError(`Unknown compression, number ${body.compression}`);
    return this.inflate(body);
  }

  private deflate(body: EncodedBody): EncodedBody | Promise<EncodedBody> {
    if (isBelow(body.data, this.thresholdBytes)) return body;
    const bytes = typeof body.data === 'string' ? Buffer.from(body.data) : body.data;
    const smaller = (data: Buffer): EncodedBody =>
      data.length < bytes.length ? { data, codec: body.codec, compression: Compression.gzip } : body;
    if (bytes.length < ASYNC_DEFLATE_BYTES) return smaller(gzipSync(bytes, this.deflateOptions));
    return gzipAsync(bytes, this.deflateOptions).then(smaller);
  }

  private inflate(body: EncodedBody): unknown {
    const bytes = body.data as Uint8Array;
    const decodeInner = (result: unknown) =>
      this.inner.decode({
        data: soleMember(result as Inflated, bytes),
        codec: body.codec,
        compression: Compression.none,
      });
    if (bytes.length >= ASYNC_INFLATE_BYTES) {
      return gunzipAsync(bytes, this.inflateOptions).then(decodeInner, (error) =>
        Promise.reject(notGzip(error)),
      );
    }
    let result: unknown;
    try {
      result = gunzipSync(bytes, this.inflateOptions);
    } catch (error) {
      throw notGzip(error);
    }
    return decodeInner(result);
  }
}

/** What zlib answers with `info: true`. */
interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** The inflated bytes, if the input was one gzip member to its last byte: its trailer tells the length that it held. */
function soleMember({ buffer, engine }: Inflated, bytes: Uint8Array): Buffer {
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + bytes.byteLength - 4, 4);
  if (engine.bytesWritten !== bytes.byteLength || trailer.getUint32(0, true) !== buffer.length) {
    throw new CodecError('The compressed body is not exactly one gzip member');
  }
  return buffer;
}

function notGzip(error: unknown): CodecError {
  const code = (error as { code?: string }).code;
  const text =
    code === 'ERR_BUFFER_TOO_LARGE'
      ? 'The compressed body inflates beyond the limit'
      : 'The compressed body is corrupt';
  return new CodecError(text, { cause: error });
}

/** A UTF-16 unit takes three bytes at most: short texts need not be measured. */
function isBelow(data: string | Uint8Array, limitBytes: number): boolean {
  if (typeof data !== 'string') return data.byteLength < limitBytes;
  return data.length * 3 < limitBytes || (data.length < limitBytes && Buffer.byteLength(data) < limitBytes);
}
