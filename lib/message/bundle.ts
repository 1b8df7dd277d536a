import { CodecError } from '../errors/message.errors.js';
import {
  assertFrame,
  BUNDLE_FLAG,
  type DecodedFrame,
  FIXED_BYTES,
  FRAME_MAGIC,
  MAX_BUNDLE_MESSAGES,
  readFlags,
  writeFixed,
} from './frame.js';
import { isRun, readRun } from './run-reader.js';
import { readVarint, varintSize, writeVarint } from './varint.js';

/** One message out of a bundle. */
export interface BundledFrame {
  /** Its own encoded bytes; of a message out of a run they are made at each call. */
  readonly bytes: Uint8Array;
  /** Its parts, where the bundle told them. */
  readonly decoded: DecodedFrame | undefined;
}

/** Joins frames and runs into one bundle: magic, version, the bundle flag, then each after its length. */
export function joinBundle(frames: readonly Uint8Array[]): Buffer {
  let size = FIXED_BYTES;
  for (const frame of frames) size += varintSize(frame.length) + frame.length;
  const bytes = Buffer.allocUnsafe(size);
  writeFixed(bytes, BUNDLE_FLAG);
  let offset = FIXED_BYTES;
  for (const frame of frames) {
    offset = writeVarint(bytes, frame.length, offset);
    bytes.set(frame, offset);
    offset += frame.length;
  }
  return bytes;
}

/** Whether the bytes start as a bundle does; a run is one. */
export function isBundle(bytes: Uint8Array): boolean {
  return (
    bytes.length > 3 &&
    (bytes[3] & BUNDLE_FLAG) !== 0 &&
    bytes[0] === FRAME_MAGIC[0] &&
    bytes[1] === FRAME_MAGIC[1]
  );
}

/**
 * The messages of a bundle, in order. Total: any bytes give messages or a {@link CodecError}. Frames that stand for
 * themselves are read no further than to where their head ends: one that is not the frame of a message, and a bundle other
 * than a run, is the fault of the whole bundle, which no writer made.
 */
export function readBundle(bytes: Uint8Array): readonly BundledFrame[] {
  const flags = readFlags(bytes);
  if (isRun(flags)) return readRun(bytes);
  if (flags !== BUNDLE_FLAG) throw new CodecError('The bytes are not a plain bundle');
  const frames: BundledFrame[] = [];
  let offset = FIXED_BYTES;
  while (offset < bytes.length) {
    const length = readVarint(bytes, offset);
    const start = offset + varintSize(length);
    if (length < 0 || start + length > bytes.length) throw new CodecError('The bundle is truncated');
    const frame = bytes.subarray(start, start + length);
    if (isBundle(frame) && isRun(readFlags(frame))) for (const member of readRun(frame)) frames.push(member);
    else {
      assertFrame(frame);
      frames.push({ bytes: frame, decoded: undefined });
    }
    if (frames.length > MAX_BUNDLE_MESSAGES) {
      throw new CodecError(`The bundle holds more than ${MAX_BUNDLE_MESSAGES} messages`);
    }
    offset = start + length;
  }
  if (frames.length === 0) throw new CodecError('The bundle is empty');
  return frames;
}

/** The bytes of each message of a bundle, in order; views into `bytes` where they stand there. Total as {@link readBundle}. */
export function splitBundle(bytes: Uint8Array): Uint8Array[] {
  return readBundle(bytes).map((frame) => frame.bytes);
}

/**
 * The bytes of each message that was stored as one entry: a frame's own, or those of a bundle. Undefined stands for an entry without
 * bytes, and for a bundle that cannot be read. Never throws.
 */
export function framesIn(entry: Uint8Array | undefined): readonly (Uint8Array | undefined)[] {
  if (entry === undefined || !isBundle(entry)) return [entry];
  try {
    return splitBundle(entry);
  } catch {
    return [undefined];
  }
}
