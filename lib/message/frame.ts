import { CodecError } from '../errors/message.errors.js';
import { type FrameHead, MAX_HEADER_BYTES, readHead, writeHead } from './frame-head.js';
import { readVarint, varintSize, writeVarint } from './varint.js';

/** The first bytes of every frame: magic `D1 5C`, then the version. */
export const FRAME_MAGIC = [0xd1, 0x5c] as const;
export const FRAME_VERSION = 1;

/** Flags: bits 0–1 compression, bits 2–4 codec, bit 6 run, bit 7 bundle; bit 5 is reserved and must be 0. */
export const BUNDLE_FLAG = 0x80;
export const RUN_FLAG = 0x40;
const RESERVED_FLAGS = 0x20;
/** Magic, version and flags. */
export const FIXED_BYTES = 4;

/** The most messages that a bundle or run may hold: no writer makes larger ones, and readers refuse them. */
export const MAX_BUNDLE_MESSAGES = 4096;

/**
 * The most bytes that the headers of a run may take where each of its messages stands alone. Shared headers are written
 * once, but kept with every dead letter: without a bound a small run would become a large store.
 */
export const MAX_RUN_HEADERS_BYTES = 16 * 1024 * 1024;

/** The parts of one message's frame. */
export interface Frame extends FrameHead {
  /** 0 to 7. */
  readonly codec: number;
  /** 0 to 3. */
  readonly compression: number;
  /** A string stands for its UTF-8 bytes; a decoded frame may have a view into the bytes it was read from. */
  readonly body: string | Uint8Array;
}

/** A frame that was read, with the size of its body on the wire. */
export interface DecodedFrame extends Frame {
  readonly bodyBytes: number;
  /** Whether nobody else has the memory of the body. */
  readonly bodyOwned: boolean;
}

/** The bytes of `frame`, in a buffer of their own. Throws {@link CodecError} if the headers exceed 64 KiB. */
export function encodeFrame(frame: Frame): Buffer {
  const { body } = frame;
  const size = bodyBytes(body);
  const bytes = startFrame(writeHead(frame), frame.compression | (frame.codec << 2), size);
  const bodyAt = bytes.length - size;
  if (typeof body === 'string') writeText(bytes, body, bodyAt, size);
  else bytes.set(body, bodyAt);
  return bytes;
}

/** Writes text of that size in UTF-8; where that is one byte for each character, by the shorter way. */
function writeText(bytes: Buffer, text: string, offset: number, sizeBytes: number): void {
  bytes.write(text, offset, text.length === sizeBytes ? 'latin1' : 'utf8');
}

/** Reads one message's frame. Total: any bytes give a frame or a {@link CodecError}. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  const flags = readFlags(bytes);
  if (flags & BUNDLE_FLAG) throw new CodecError('A bundle stands where a single message belongs');
  if (flags & RUN_FLAG) throw new CodecError('A run that is no bundle');
  const buffer = asBuffer(bytes);
  const bodyAt = endOfHead(bytes);
  const { id, timestamp, headers } = readHead(headText(buffer, bodyAt));
  const body = buffer.subarray(bodyAt);
  const [codec, compression] = [codecOf(flags), flags & 3];
  return { id, timestamp, headers, codec, compression, body, bodyBytes: body.length, bodyOwned: false };
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

/** The codec's number in the flags. */
export function codecOf(flags: number): number {
  return (flags >> 2) & 7;
}

/** A buffer that begins with magic, version, flags and the head, and has room for `restBytes` behind them. */
export function startFrame(head: string, flags: number, restBytes: number): Buffer {
  const headBytes = Buffer.byteLength(head);
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + varintSize(headBytes) + headBytes + restBytes);
  writeFixed(bytes, flags);
  bytes.write(head, writeVarint(bytes, headBytes, FIXED_BYTES), 'utf8');
  return bytes;
}

/** Writes magic, version and flags. */
export function writeFixed(bytes: Uint8Array, flags: number): void {
  bytes[0] = FRAME_MAGIC[0];
  bytes[1] = FRAME_MAGIC[1];
  bytes[2] = FRAME_VERSION;
  bytes[3] = flags;
}

/** Where what follows the head begins. Throws {@link CodecError} if the bytes end before. */
export function endOfHead(bytes: Uint8Array): number {
  const headBytes = readVarint(bytes, FIXED_BYTES);
  const end = FIXED_BYTES + varintSize(headBytes) + headBytes;
  if (headBytes < 0 || headBytes > MAX_HEADER_BYTES || end > bytes.length) {
    throw new CodecError('The frame is truncated or its header length is wrong');
  }
  return end;
}

/** A copy of a frame as far as its head goes, with an empty body; undefined for what has no such head. */
export function headOf(bytes: Uint8Array): Buffer | undefined {
  try {
    if (readFlags(bytes) & BUNDLE_FLAG) return undefined;
    return Buffer.from(bytes.subarray(0, endOfHead(bytes)));
  } catch {
    return undefined;
  }
}

/** Throws {@link CodecError} unless the bytes have the outline of one message's frame: fixed bytes, and a head of the length told. */
export function assertFrame(bytes: Uint8Array): void {
  if (readFlags(bytes) & (BUNDLE_FLAG | RUN_FLAG))
    throw new CodecError('The bytes are not the frame of one message');
  endOfHead(bytes);
}

/** Whether the bytes have the outline of one message's frame. */
export function isFrame(bytes: Uint8Array): boolean {
  try {
    assertFrame(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The text of the head that ends at `end`. */
export function headText(bytes: Buffer, end: number): string {
  return bytes.toString('utf8', FIXED_BYTES + varintSize(readVarint(bytes, FIXED_BYTES)), end);
}

/** The same bytes as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many bytes a body has. */
export function bodyBytes(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
}
