/** The number of a codec in a frame's flags: 0 JSON, 1 raw bytes, 2 to 7 free for codecs of your own. */
export type CodecId = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** The number of a compression in a frame's flags. */
export const Compression = { none: 0, gzip: 1 } as const;

/** A payload in bytes, with what a receiver must know to read it. A string stands for its UTF-8 bytes. */
export interface EncodedBody {
  readonly data: string | Uint8Array;
  /** Which codec made it: a {@link CodecId}. */
  readonly codec: number;
  /** One of {@link Compression}. */
  readonly compression: number;
  /** How many bytes the payload has uncompressed: what limits go by. @default those of `data` */
  readonly plainBytes?: number;
  /** Nobody else has these bytes: `decode` may hand them on instead of a copy. @default false */
  readonly owned?: boolean;
}

/** A body that is still being made. */
export interface EncodingBody extends Promise<EncodedBody> {
  /** The bytes that it holds until then, where they are known. */
  readonly plainBytes?: number;
}

/**
 * Turns payloads into bytes and back. Decorators of the same interface add compression and limits.
 * `encode` and `decode` may answer at once or with a promise, and fail with CodecError; what `decode` returns is the
 * receiver's own. `decode` refuses a number it did not make. The bytes given to it may be reused once it has settled.
 */
export interface Codec {
  /** A short name for logs, as `'json'`. */
  readonly name: string;
  /** The number that `encode` says. Needed on the Go wire, whose messages do not tell it. */
  readonly id?: CodecId;
  /** Whether `decode` may be handed a text where `encode` made one; otherwise it is always given bytes. @default false */
  readonly readsText?: boolean;
  encode(payload: unknown): EncodedBody | Promise<EncodedBody>;
  decode(body: EncodedBody): unknown;
}
