import { CodecError } from '../errors/message.errors.js';
import { BUNDLE_FLAG, FRAME_MAGIC, FRAME_VERSION, readFlags } from './frame.js';
import { readVarint, varintSize, writeVarint } from './varint.js';

const FIXED_BYTES = 4;

/** Joins frames into one bundle: magic, version, the bundle flag, then each frame after its length. */
export function joinBundle(frames: readonly Uint8Array[]): Buffer {
  let size = FIXED_BYTES;
  for (const frame of frames) size += varintSize(frame.length) + frame.length;
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = FRAME_MAGIC[0];
  bytes[1] = FRAME_MAGIC[1];
  bytes[2] = FRAME_VERSION;
  bytes[3] = BUNDLE_FLAG;
  let offset = FIXED_BYTES;
  for (const frame of frames) {
    offset = writeVarint(bytes, frame.length, offset);
    bytes.set(frame, offset);
    offset += frame.length;
  }
  return bytes;
}

/** Whether the bytes start as a bundle does. */
export function isBundle(bytes: Uint8Array): boolean {
  return (
    bytes.length > 3 &&
    (bytes[3] & BUNDLE_FLAG) !== 0 &&
    bytes[0] === FRAME_MAGIC[0] &&
    bytes[1] === FRAME_MAGIC[1]
  );
}

/**
 * The frames of a bundle, in order, as views into `bytes`. Total: any bytes give frames or a {@link CodecError}; the
 * frames themselves are not looked into, save that a bundle within a bundle is refused.
 */
export function splitBundle(bytes: Uint8Array): Uint8Array[] {
  if (readFlags(bytes) !== BUNDLE_FLAG) throw new CodecError('The bytes are not a plain bundle');
  const frames: Uint8Array[] = [];
  let offset = FIXED_BYTES;
  while (offset < bytes.length) {
    const length = readVarint(bytes, offset);
    const start = offset + varintSize(length);
    if (length < 0 || start + length > bytes.length) throw new CodecError('The bundle is truncated');
    const frame = bytes.subarray(start, start + length);
    if (isBundle(frame)) throw new CodecError('A bundle stands within a bundle');
    frames.push(frame);
    offset = start + length;
  }
  if (frames.length === 0) throw new CodecError('The bundle is empty');
  return frames;
}
