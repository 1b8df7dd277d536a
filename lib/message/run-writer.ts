import { BUNDLE_FLAG, encodeFrame, MAX_RUN_HEADERS_BYTES, RUN_FLAG, startFrame } from './frame.js';
import { writeHead } from './frame-head.js';
import { type Headers, noHeaders } from './headers.js';
import type { OutgoingFrame } from './outgoing-frame.js';
import { varintSize, writeVarint } from './varint.js';

/** What the count of a run says beside the number of messages: the bodies are text; the ids are told one by one. */
export const TEXT = 1;
export const WITH_IDS = 2;

/** Texts of this size on are written one by one. */
const LARGE_TEXT_BYTES = 512;
const LONGEST_AGE_MS = 0x7fffffff;

/**
 * Successive messages that differ in nothing but id, time and body: they share one head. The layout: ADR 0015.
 */
export class RunWriter {
  private readonly bodies: (string | Uint8Array)[] = [];
  private readonly agesMs: number[] = [];
  /** Where the ids do not follow from the first one. */
  private readonly ids: string[] | undefined;
  private regionBytes = 0;
  private readonly headersBytes: number;

  constructor(private readonly first: OutgoingFrame) {
    const { headers } = first;
    this.headersBytes = headers === noHeaders ? 0 : mostHeadersBytes(headers);
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
      ageMs <= LONGEST_AGE_MS &&
      (this.length + 1) * this.headersBytes <= MAX_RUN_HEADERS_BYTES
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

/** At the most, without encoding them: a UTF-16 unit takes three bytes, or six where it is escaped. */
function mostHeadersBytes(headers: Headers): number {
  let bytes = 2;
  for (const name in headers) bytes += name.length + 6 * headers[name].length + 6;
  return bytes;
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
