import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import { CodecError } from '../errors/message.errors.js';

/** Above this many bytes the work goes to a thread: at 100 MB/s, deflating more would hold the event loop for over a millisecond. */
const ASYNC_DEFLATE_BYTES = 96 * 1024;
const ASYNC_INFLATE_BYTES = 32 * 1024;

const gzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

/** One gzip member of `bytes`; a promise of it where that takes long. */
export function deflate(bytes: Uint8Array, options: { readonly level: number }): Buffer | Promise<Buffer> {
  return bytes.length < ASYNC_DEFLATE_BYTES
    ? compact(gzipSync(bytes, options))
    : gzipAsync(bytes, options).then(compact);
}

/** zlib answers with the beginning of a block of 16 KiB: what waits to be sent must not hold the rest of it. */
function compact(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}

/**
 * What `bytes` inflate to, at most `maxBytes`; a promise of it where that takes long. Throws or rejects with CodecError
 * for what is not exactly one gzip member, whole and to its last byte.
 */
export function inflate(bytes: Uint8Array, maxBytes: number): Buffer | Promise<Buffer> {
  const options = { maxOutputLength: maxBytes, info: true };
  if (bytes.length >= ASYNC_INFLATE_BYTES) {
    return gunzipAsync(bytes, options).then(
      (result) => soleMember(result as unknown as Inflated, bytes),
      (error) => Promise.reject(notGzip(error)),
    );
  }
  let result: unknown;
  try {
    result = gunzipSync(bytes, options);
  } catch (error) {
    throw notGzip(error);
  }
  return soleMember(result as Inflated, bytes);
}

/** Whether `error` is that of an {@link inflate} which went beyond its limit. */
export function isBeyondLimit(error: unknown): boolean {
  return causeCode((error as { cause?: unknown } | undefined)?.cause) === 'ERR_BUFFER_TOO_LARGE';
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
  const text =
    causeCode(error) === 'ERR_BUFFER_TOO_LARGE'
      ? 'The compressed body inflates beyond the limit'
      : 'The compressed body is corrupt';
  return new CodecError(text, { cause: error });
}

function causeCode(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}
