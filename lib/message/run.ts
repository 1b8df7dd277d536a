import { CodecError } from '../errors/message.errors.js';
import {
  asBuffer,
  BUNDLE_FLAG,
  bodyBytes,
  codecOf,
  type DecodedFrame,
  encodeFrame,
  endOfHead,
  type Frame,
  headText,
  RUN_FLAG,
  readFlags,
  startFrame,
} from './frame.js';
import { type FrameHead, readHead, writeHead } from './frame-head.js';
import type { Headers } from './headers.js';
import { readVarint, varintSize, writeVarint } from './varint.js';

/** A frame on its way out. Successive ones of one source can travel as a run. */
export interface OutgoingFrame extends Frame {
  /**
   * Where the id comes from: it is the prefix with the number behind it. Undefined for an id that follows from nothing,
   * of printable ASCII characters.
   */
  readonly idPrefix: string | undefined;
  readonly idNumber: number;
  readonly bodyBytes: number;
}

/** A frame that is encoded already, and its id. */
export class EncodedFrame {
  constructor(
    readonly bytes: Uint8Array,
    readonly id: string,
  ) {}
}

/** Bodies of this size on are worth a copy of the whole run's, so that each may be handed on without one of its own. */
const LARGE_BODY_BYTES = 4096;
/** Texts of this size on are written one by one. */
const LARGE_TEXT_BYTES = 512;
const LONGEST_AGE_MS = 0x7fffffff;
const LONGEST_ID = 200;
const LARGEST_NUMBER = Number.MAX_SAFE_INTEGER;

/**
 * Successive messages that differ in nothing but id, time and body: they share one head. The layout: ADR 0015.
 */
export class RunWriter {
  private readonly bodies: (string | Uint8Array)[] = [];
  private readonly agesMs: number[] = [];
  /** Where the ids do not follow from the first one. */
  private readonly ids: string[] | undefined;
  private regionBytes = 0;

  constructor(private readonly first: OutgoingFrame) {
    if (first.idPrefix === undefined) this.ids = [];
    this.add(first);
  }

  /** Messages so far. */
  get length(): number {
    return this.bodies.length;
  }

  /** Whether `frame` can be the next one. */
  takes(frame: OutgoingFrame): boolean {
    const { first } = this;
    const ageMs = frame.timestamp - first.timestamp;
    return (
      frame.idPrefix === first.idPrefix &&
      (this.ids !== undefined || frame.idNumber === first.idNumber + this.length) &&
      frame.headers === first.headers &&
      frame.codec === first.codec &&
      frame.compression === first.compression &&
      typeof frame.body === typeof first.body &&
      ageMs >= 0 &&
      ageMs <= LONGEST_AGE_MS
    );
  }

  /** Adds a frame that it `takes`. */
  add(frame: OutgoingFrame): void {
    this.bodies.push(frame.body);
    this.agesMs.push(frame.timestamp - this.first.timestamp);
    this.ids?.push(frame.id);
    this.regionBytes += frame.bodyBytes;
  }

  /** The run's bytes; of a single message its plain frame. */
  encode(): Buffer {
    const { first, bodies, agesMs } = this;
    if (bodies.length === 1) return encodeFrame(first);
    const isText = typeof first.body === 'string';
    const count = bodies.length * 4 + (this.ids ? WITH_IDS : 0) + (isText ? TEXT : 0);
    const flags = BUNDLE_FLAG | RUN_FLAG | first.compression | (first.codec << 2);
    const ids = this.ids?.join('') ?? '';
    const table = [
      ...bodies.map(({ length }) => length),
      ...agesMs,
      ...(this.ids?.map(({ length }) => length) ?? []),
    ];
    const restBytes = varintSize(count) + sizeOf(table) + ids.length + this.regionBytes;
    const bytes = startFrame(writeHead(first), flags, restBytes);
    let offset = writeVarint(bytes, count, bytes.length - restBytes);
    for (const value of table) offset = writeVarint(bytes, value, offset);
    offset += bytes.write(ids, offset, 'latin1');
    if (isText) this.writeTexts(bytes, offset);
    else for (const body of bodies as Uint8Array[]) offset = put(bytes, body, offset);
    return bytes;
  }

  /** Small texts are joined first, as each write costs a call out of JavaScript; large ones are spared the copy. */
  private writeTexts(bytes: Buffer, start: number): void {
    const { bodies, regionBytes } = this;
    const texts = regionBytes < LARGE_TEXT_BYTES * bodies.length ? [bodies.join('')] : (bodies as string[]);
    let length = 0;
    for (const text of texts) length += text.length;
    const encoding = length === regionBytes ? 'latin1' : 'utf8';
    let offset = start;
    for (const text of texts) offset += bytes.write(text, offset, encoding);
  }
}

/** What the count of a run says beside the number of messages: the bodies are text; the ids are told one by one. */
const TEXT = 1;
const WITH_IDS = 2;

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
  return frames;
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

function sizeOf(table: readonly number[]): number {
  let size = 0;
  for (const value of table) size += varintSize(value);
  return size;
}

function put(bytes: Buffer, body: Uint8Array, offset: number): number {
  bytes.set(body, offset);
  return offset + body.byteLength;
}
