import { types } from 'node:util';
import type { ZlibOptions } from 'node:zlib';
import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { CodecError } from '../errors/message.errors.js';
import { aCodec, aNumber, type OptionKinds, oneOf } from '../errors/option-kinds.js';
import { after } from '../message/now-or-later.js';
import { type Codec, Compression, type EncodedBody, type EncodingBody } from './codec.js';
import { deflate, deflateOptions, inflate } from './gzip.js';

/** How bodies are compressed. */
export interface CompressionOptions {
  /** @default 'gzip' */
  algorithm?: 'gzip';
  /** 1 (fastest) to 9 (smallest); or 0 (none), -1 (zlib's default), -2 (Huffman coding alone), as in Go. @default 1 */
  level?: number;
  /** Bodies below this many bytes travel as they are. @default 1024; within a bus 16384 */
  threshold?: number;
}

/** What a {@link GzipCodec} must know beside its options. */
export interface InflateLimit {
  /** No body inflates to more bytes than this: a larger one is a CodecError in, and travels as it is out. @default 10 MiB */
  maxBytes?: number;
}

/** What each of {@link CompressionOptions} may be. */
export const compressionKinds: OptionKinds<CompressionOptions> = {
  algorithm: oneOf('gzip'),
  level: aNumber,
  threshold: aNumber,
};

const gzipKinds: OptionKinds<CompressionOptions & InflateLimit> = {
  ...compressionKinds,
  maxBytes: aNumber,
};

/**
 * Compresses what another codec has encoded, from `threshold` bytes up to `maxBytes` and only where it gets smaller: it
 * writes nothing that it would not read again. Inflating is bounded; a corrupt, truncated or trailing-garbage body, or
 * one of several gzip members, is a {@link CodecError}.
 */
export class GzipCodec implements Codec {
  readonly name: string;
  private readonly thresholdBytes: number;
  private readonly deflateOptions: ZlibOptions;
  private readonly maxBytes: number;

  constructor(
    private readonly inner: Codec,
    options: CompressionOptions & InflateLimit = {},
  ) {
    if (!aCodec.fits(inner)) throw new ConfigurationError('GzipCodec needs the codec that it compresses for');
    assertOptions('GzipCodec', options, gzipKinds, { path: 'compression' });
    const { algorithm = 'gzip', level = 1, threshold = 1024, maxBytes = 10 * 1024 * 1024 } = options;
    if (algorithm !== 'gzip') throw new ConfigurationError("compression.algorithm must be 'gzip'");
    assertLevel(level);
    if (!Number.isInteger(threshold) || threshold < 0) {
      throw new ConfigurationError('compression.threshold must be a number of bytes, 0 or more');
    }
    if (!Number.isInteger(maxBytes) || maxBytes < 1) {
      throw new ConfigurationError('GzipCodec: maxBytes must be a number of bytes, 1 or more');
    }
    this.name = `${inner.name}+gzip`;
    this.thresholdBytes = threshold;
    this.deflateOptions = deflateOptions(level);
    this.maxBytes = maxBytes;
  }

  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    return after(this.inner.encode(payload), (body) => this.deflate(body));
  }

  decode(body: EncodedBody): unknown {
    if (body.compression === Compression.none) return this.inner.decode(body);
    if (body.compression !== Compression.gzip)
      throw new CodecError(`Unknown compression, number ${body.compression}`);
    return this.inflate(body);
  }

  private deflate(body: EncodedBody): EncodedBody | EncodingBody {
    if (isBelow(body.data, this.thresholdBytes)) return body;
    const bytes = typeof body.data === 'string' ? Buffer.from(body.data) : body.data;
    // Compressed it could not be read again. As it is, its size shows, and whoever keeps a limit refuses it.
    if (bytes.length > this.maxBytes) return body;
    const smaller = (data: Buffer): EncodedBody =>
      data.length < bytes.length ? { data, codec: body.codec, compression: Compression.gzip } : body;
    const compressed = deflate(bytes, this.deflateOptions);
    if (!types.isPromise(compressed)) return smaller(compressed);
    return Object.assign(compressed.then(smaller), { plainBytes: bytes.length });
  }

  private inflate({ data, codec }: EncodedBody): unknown {
    const plain = inflate(data as Uint8Array, this.maxBytes);
    const decodeInner = (bytes: Buffer) =>
      this.inner.decode({ data: bytes, codec, compression: Compression.none });
    return after(plain, decodeInner);
  }
}

/** Throws ConfigurationError unless `level` is one of gzip's, -2 to 9. */
export function assertLevel(level: number): void {
  if (Number.isInteger(level) && level >= -2 && level <= 9) return;
  throw new ConfigurationError('compression.level must be a whole number from -2 to 9');
}

/** A UTF-16 unit takes three bytes at most: short texts need not be measured. */
function isBelow(data: string | Uint8Array, limitBytes: number): boolean {
  if (typeof data !== 'string') return data.byteLength < limitBytes;
  return data.length * 3 < limitBytes || (data.length < limitBytes && Buffer.byteLength(data) < limitBytes);
}
