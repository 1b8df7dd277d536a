import { setImmediate } from 'node:timers';
import { promisify } from 'node:util';
import { constants, gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import { CodecError } from '../errors/message.errors.js';

/** Above this many bytes the work goes to a thread: at 100 MB/s, deflating more would hold the event loop for over a millisecond. */
const ASYNC_DEFLATE_BYTES = 96 * 1024;
const ASYNC_INFLATE_BYTES = 32 * 1024;
/** The same for what comes out: 32 KiB of gzip can hold 32 MiB. */
const ASYNC_INFLATED_BYTES = 256 * 1024;

/** zlib's own. */
const CHUNK_BYTES = 16 * 1024;

/** No byte of deflate stands for more: https://zlib.net/zlib_tech.html, "Maximum Compression Factor". */
const MOST_PER_BYTE = 1_032;

const NOT_SOLE = 'The compressed body is not exactly one gzip member';

const gzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

/** What gzip is asked for at a level of -2 to 9. Below 0 the levels are those of Go: -1 zlib's default, -2 Huffman coding alone. */
export function deflateOptions(level: number): ZlibOptions {
  return level === -2 ? { level: -1, strategy: constants.Z_HUFFMAN_ONLY } : { level };
}

/** One gzip member of `bytes`; a promise of it where that takes long. */
export function deflate(bytes: Uint8Array, options: ZlibOptions): Buffer | Promise<Buffer> {
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
  const toldBytes = trailerOf(bytes);
  // Nothing is set aside for what cannot be: a trailer that lies, or is cut, may tell 4 GiB.
  if (toldBytes > bytes.length * MOST_PER_BYTE) {
    throw new CodecError(NOT_SOLE, { cause: new RangeError(`The trailer tells ${toldBytes} bytes`) });
  }
  // What is longer than its trailer tells is refused in any case, and so is not inflated further.
  const options = { maxOutputLength: Math.min(maxBytes, Math.max(1, toldBytes)), info: true };
  const refusal = (error: unknown) => (toldBytes > maxBytes ? notGzip(error) : notSole(error));
  if (bytes.length >= ASYNC_INFLATE_BYTES || options.maxOutputLength >= ASYNC_INFLATED_BYTES) {
    // In one chunk: each is a trip to the thread and back, and to join them is a copy.
    const chunkSize = Math.max(CHUNK_BYTES, options.maxOutputLength + 1);
    return gunzipAsync(bytes, { ...options, chunkSize }).then(
      (result) => inTurn(soleMember(result as unknown as Inflated, toldBytes, bytes.length)),
      (error) => Promise.reject(refusal(error)),
    );
  }
  let result: unknown;
  try {
    result = gunzipSync(bytes, options);
  } catch (error) {
    throw refusal(error);
  }
  return soleMember(result as Inflated, toldBytes, bytes.length);
}

let lastTurn: Promise<unknown> = Promise.resolve();

/** Large bodies are handed on one in each turn of the event loop, however many are ready: to read one takes long. */
function inTurn<Value>(value: Value): Promise<Value> {
  const mine = lastTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
  lastTurn = mine;
  return mine.then(() => value);
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

/** How many bytes a gzip member says that it holds; 0 where there is no room for one. */
function trailerOf({ buffer, byteOffset, byteLength }: Uint8Array): number {
  return byteLength < 4 ? 0 : new DataView(buffer, byteOffset + byteLength - 4, 4).getUint32(0, true);
}

/** The inflated bytes, if the input was one gzip member to its last byte: its trailer tells the length that it held. */
function soleMember({ buffer, engine }: Inflated, toldBytes: number, givenBytes: number): Buffer {
  if (engine.bytesWritten !== givenBytes || toldBytes !== buffer.length) throw new CodecError(NOT_SOLE);
  return buffer;
}

/** It is longer than its trailer tells, or corrupt. */
function notSole(error: unknown): CodecError {
  return causeCode(error) === 'ERR_BUFFER_TOO_LARGE' ? new CodecError(NOT_SOLE) : notGzip(error);
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
