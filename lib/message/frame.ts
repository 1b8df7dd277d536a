import { CodecError } from '../errors/message.errors.js';
import { type Headers, isHeaderName, noHeaders } from './headers.js';
import { readVarint, varintSize, writeVarint } from './varint.js';

/** The first bytes of every frame: magic `D1 5C`, then the version. */
export const FRAME_MAGIC = [0xd1, 0x5c] as const;
export const FRAME_VERSION = 1;

/** Flags: bits 0–1 compression, bits 2–4 codec, bit 7 bundle; bits 5 and 6 are reserved and must be 0. */
export const BUNDLE_FLAG = 0x80;
const RESERVED_FLAGS = 0x60;
/** The most bytes that a frame's headers may take. */
export const MAX_HEADER_BYTES = 64 * 1024;
const FIXED_BYTES = 4;

/** The parts of one message's frame. */
export interface Frame {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly headers: Headers;
  /** 0 to 7. */
  readonly codec: number;
  /** 0 to 3. */
  readonly compression: number;
  /** A string stands for its UTF-8 bytes; a decoded frame has a view into the bytes it was read from. */
  readonly body: string | Uint8Array;
}

/** The bytes of `frame`, in a buffer of their own. Throws {@link CodecError} if the headers exceed 64 KiB. */
export function encodeFrame(frame: Frame): Buffer {
  const { body } = frame;
  const head = headerJson(frame);
  const headBytes = Buffer.byteLength(head);
  if (headBytes > MAX_HEADER_BYTES) throw new CodecError(`The headers exceed ${MAX_HEADER_BYTES} bytes`);
  const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + varintSize(headBytes) + headBytes + bodyBytes);
  bytes[0] = FRAME_MAGIC[0];
  bytes[1] = FRAME_MAGIC[1];
  bytes[2] = FRAME_VERSION;
  bytes[3] = frame.compression | (frame.codec << 2);
  const headAt = writeVarint(bytes, headBytes, FIXED_BYTES);
  bytes.write(head, headAt, 'utf8');
  if (typeof body === 'string') bytes.write(body, headAt + headBytes, 'utf8');
  else bytes.set(body, headAt + headBytes);
  return bytes;
}

/** Reads one message's frame. Total: any bytes give a frame or a {@link CodecError}. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const flags = readFlags(bytes);
  if (flags & BUNDLE_FLAG) throw new CodecError('A bundle stands where a single message belongs');
  const headBytes = readVarint(bytes, FIXED_BYTES);
  const headAt = FIXED_BYTES + varintSize(headBytes);
  if (headBytes < 0 || headBytes > MAX_HEADER_BYTES || headAt + headBytes > bytes.length) {
    throw new CodecError('The frame is truncated or its header length is wrong');
  }
  const buffer = asBuffer(bytes);
  const head = parseHead(buffer.toString('utf8', headAt, headAt + headBytes));
  return {
    id: head.id,
    timestamp: head.time,
    headers: head.headers,
    codec: (flags >> 2) & 7,
    compression: flags & 3,
    body: buffer.subarray(headAt + headBytes),
  };
}

/** The flags of a frame or bundle; throws {@link CodecError} for anything else, an unknown version or unknown flags. */
export function readFlags(bytes: Uint8Array): number {
  if (bytes.length < FIXED_BYTES || bytes[0] !== FRAME_MAGIC[0] || bytes[1] !== FRAME_MAGIC[1]) {
    throw new CodecError('The bytes are not a Disco frame');
  }
  if (bytes[2] !== FRAME_VERSION) throw new CodecError(`Unknown frame version ${bytes[2]}`);
  if (bytes[3] & RESERVED_FLAGS) throw new CodecError(`Unknown frame flags 0x${bytes[3].toString(16)}`);
  return bytes[3];
}

function headerJson({ id, timestamp, headers }: Frame): string {
  const head = `{"id":${JSON.stringify(id)},"time":${timestamp}`;
  if (headers === noHeaders) return `${head}}`;
  const rest = JSON.stringify(headers);
  return rest === '{}' ? `${head}}` : `${head},${rest.slice(1)}`;
}

interface Head {
  readonly id: string;
  readonly time: number;
  readonly headers: Headers;
}

/** What {@link headerJson} writes for a message without headers of its own, and most frames are: no need for a JSON parser. */
const plainHead = /^\{"id":"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})","time":(\d{1,15})\}$/;

function parseHead(text: string): Head {
  const plain = plainHead.exec(text);
  if (plain) return { id: plain[1], time: Number(plain[2]), headers: noHeaders };
  const fields = parseObject(text);
  const { id, time } = fields;
  if (typeof id !== 'string' || id.length === 0 || id.length > 200)
    throw new CodecError('The frame has no valid id');
  if (typeof time !== 'number' || !Number.isFinite(time)) throw new CodecError('The frame has no valid time');
  return { id, time, headers: checkedHeaders(fields) };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CodecError('The headers of the frame are not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CodecError('The headers of the frame are not an object');
  }
  return value as Record<string, unknown>;
}

function checkedHeaders(fields: Record<string, unknown>): Headers {
  let headers: Record<string, string> | undefined;
  for (const name of Object.keys(fields)) {
    if (name === 'id' || name === 'time') continue;
    const value = fields[name];
    if (typeof value !== 'string' || !isHeaderName(name))
      throw new CodecError('The frame has a malformed header');
    headers ??= Object.create(null) as Record<string, string>;
    headers[name] = value;
  }
  return headers ?? noHeaders;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
