import { isUtf8 } from 'node:buffer';
import { CodecError } from '../errors/message.errors.js';
import {
  asBuffer,
  BUNDLE_FLAG,
  bodyBytes,
  codecOf,
  type DecodedFrame,
  encodeFrame,
  endOfHead,
  headText,
  MAX_BUNDLE_MESSAGES,
  MAX_RUN_HEADERS_BYTES,
  RUN_FLAG,
  readFlags,
} from './frame.js';
import { type FrameHead, MAX_HEADER_BYTES, readHead, writeHead } from './frame-head.js';
import { type Headers, noHeaders } from './headers.js';
import { TEXT, WITH_IDS } from './run-writer.js';
import { readVarint, varintSize } from './varint.js';

/** Bodies of this size on are worth a copy of the whole run's, so that each may be handed on without one of its own. */
const LARGE_BODY_BYTES = 4096;
const LONGEST_ID = 200;
/** `id` and `time` of one message, each character of the id escaped. */
const LONGEST_OWN_HEAD_BYTES = LONGEST_ID * 6 + 64;
const LARGEST_NUMBER = Number.MAX_SAFE_INTEGER;
/** All that the table tells of an id: printable ASCII, as writers take no other. */
const plainId = /^[\x20-\x7e]+$/;

/** One message of a run that was read. Its own bytes are made when they are asked for. */
export class RunFrame implements DecodedFrame {
  readonly headers: Headers;
  readonly codec: number;
  readonly compression: number;

  constructor(
    run: RunShape,
    readonly id: string,
    readonly timestamp: number,
    readonly body: string | Uint8Array,
    readonly bodyBytes: number,
    readonly bodyOwned: boolean,
  ) {
    this.headers = run.headers;
    this.codec = run.codec;
    this.compression = run.compression;
  }

  get decoded(): DecodedFrame {
    return this;
  }

  get bytes(): Uint8Array {
    return encodeFrame(this);
  }
}

/** What the messages of a run have in common. */
interface RunShape {
  readonly headers: Headers;
  readonly codec: number;
  readonly compression: number;
}

/** Whether a bundle's flags are those of a run. */
export function isRun(flags: number): boolean {
  return (flags & (BUNDLE_FLAG | RUN_FLAG)) === (BUNDLE_FLAG | RUN_FLAG);
}

/** The messages of a run, in order. Total: any bytes give messages or a {@link CodecError}. */
export function readRun(bytes: Uint8Array): RunFrame[] {
  const flags = readFlags(bytes);
  if (!isRun(flags)) throw new CodecError('The bytes are not a run');
  const buffer = asBuffer(bytes);
  const tableAt = endOfHead(bytes);
  const head = readHead(headText(buffer, tableAt));
  const shape = { headers: head.headers, codec: codecOf(flags), compression: flags & 3 };
  const { length, isText, values, ids, end } = readTable(buffer, tableAt);
  const idOf = ids ? (index: number) => ids[index] : numberedFrom(head);
  if (isText && shape.compression !== 0) throw new CodecError('Compressed bodies are no text');
  const region = buffer.subarray(end);
  const bodies = isText ? new TextBodies(region) : new ByteBodies(region, length);
  const frames: RunFrame[] = [];
  for (let index = 0; index < length; index++) {
    const body = bodies.next(values[index]);
    const timestamp = head.timestamp + values[length + index];
    frames.push(new RunFrame(shape, idOf(index), timestamp, body, bodies.sizeOf(body), bodies.owned));
  }
  if (!bodies.exhausted) throw new CodecError('The bodies of the run do not have the lengths that it tells');
  if (head.headers !== noHeaders) assertHeadsFit(head.headers, frames);
  return frames;
}

/** Each message can stand alone, as it does when it is tried again or kept as a dead letter; all their heads have a bound. */
function assertHeadsFit(headers: Headers, frames: readonly RunFrame[]): void {
  const sharedBytes = Buffer.byteLength(JSON.stringify(headers));
  if (sharedBytes * frames.length > MAX_RUN_HEADERS_BYTES)
    throw new CodecError(
      `The headers of the run, for each of its messages, exceed ${MAX_RUN_HEADERS_BYTES} bytes`,
    );
  if (sharedBytes + LONGEST_OWN_HEAD_BYTES <= MAX_HEADER_BYTES) return;
  for (const frame of frames) writeHead(frame);
}

/** The ids that follow from that of the first message. */
function numberedFrom({ id }: FrameHead): (index: number) => string {
  const [, prefix, number] = /^(.*[^0-9])(0|[1-9][0-9]{0,15})$/.exec(id) ?? [];
  const first = Number(number);
  if (prefix === undefined || first > LARGEST_NUMBER) throw new CodecError('The id of the run has no number');
  return (index) => prefix + (first + index);
}

/** What stands between the head and the bodies. */
interface RunTable {
  /** Messages. */
  readonly length: number;
  readonly isText: boolean;
  /** The length of each body, then the age of each message. */
  readonly values: readonly number[];
  /** The ids, where they are told one by one. */
  readonly ids: readonly string[] | undefined;
  /** Where the bodies begin. */
  readonly end: number;
}

function readTable(bytes: Buffer, start: number): RunTable {
  const count = readVarint(bytes, start);
  const length = count >>> 2;
  // Each message takes two bytes of the table at least: a false count cannot make it allocate more than came.
  if (count < 0 || length === 0 || length * 2 > bytes.length - start) {
    throw new CodecError('The run is truncated or empty');
  }
  if (length > MAX_BUNDLE_MESSAGES)
    throw new CodecError(`The run holds more than ${MAX_BUNDLE_MESSAGES} messages`);
  const columns = count & WITH_IDS ? 3 : 2;
  let offset = start + varintSize(count);
  const values: number[] = [];
  while (values.length < length * columns) {
    const value = readVarint(bytes, offset);
    if (value < 0) throw new CodecError('The table of the run is truncated');
    values.push(value);
    offset += varintSize(value);
  }
  const isText = (count & TEXT) !== 0;
  if (columns === 2) return { length, isText, values, ids: undefined, end: offset };
  const ids = readIds(bytes, offset, values.slice(length * 2));
  return { length, isText, values, ids, end: offset + totalOf(values.slice(length * 2)) };
}

/** Each has memory of its own: whoever keeps one does not keep them all. */
function readIds(bytes: Buffer, start: number, lengths: readonly number[]): string[] {
  let offset = start;
  return lengths.map((length) => {
    const end = offset + length;
    if (length === 0 || length > LONGEST_ID || end > bytes.length)
      throw new CodecError('The run has no valid ids');
    const id = bytes.toString('latin1', offset, end);
    if (!plainId.test(id)) throw new CodecError('The run has no valid ids');
    offset = end;
    return id;
  });
}

function totalOf(lengths: readonly number[]): number {
  let total = 0;
  for (const length of lengths) total += length;
  return total;
}

/** Bodies that are cut out of one text. Their lengths count UTF-16 units, so that the whole is decoded once. */
class TextBodies {
  readonly owned = true;
  private readonly text: string;
  private readonly isAscii: boolean;
  private offset = 0;

  constructor(region: Buffer) {
    if (!isUtf8(region)) throw new CodecError('The bodies of the run are not UTF-8');
    this.text = region.toString('utf8');
    this.isAscii = this.text.length === region.length;
  }

  get exhausted(): boolean {
    return this.offset === this.text.length;
  }

  next(length: number): string {
    const start = this.offset;
    this.offset += length;
    return this.text.slice(start, this.offset);
  }

  sizeOf(body: string | Uint8Array): number {
    return this.isAscii ? body.length : bodyBytes(body);
  }
}

/** Bodies that are views into the bytes of the run, or into a copy that nobody else has. */
class ByteBodies {
  readonly owned: boolean;
  private readonly region: Buffer;
  private offset = 0;

  constructor(region: Buffer, count: number) {
    this.owned = region.length >= LARGE_BODY_BYTES * count;
    this.region = this.owned ? Buffer.from(region) : region;
  }

  get exhausted(): boolean {
    return this.offset === this.region.length;
  }

  next(length: number): Uint8Array {
    const start = this.offset;
    this.offset += length;
    return this.region.subarray(start, this.offset);
  }

  sizeOf(body: string | Uint8Array): number {
    return body.length;
  }
}
