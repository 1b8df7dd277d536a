import { CodecError } from '../errors/message.errors.js';
import { type Headers, isHeaderName, noHeaders } from './headers.js';

/** The most bytes that a frame's headers may take. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** What stands before a body: who the message is, when it was published, and its headers. */
export interface FrameHead {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly headers: Headers;
}

/** The head as JSON: `id` and `time` first, then the message's own headers. Throws {@link CodecError} beyond 64 KiB. */
export function writeHead({ id, timestamp, headers }: FrameHead): string {
  const head = `{"id":${JSON.stringify(id)},"time":${timestamp}`;
  if (headers === noHeaders) return `${head}}`;
  const rest = JSON.stringify(headers);
  const text = rest === '{}' ? `${head}}` : `${head},${rest.slice(1)}`;
  if (text.length * 3 > MAX_HEADER_BYTES && Buffer.byteLength(text) > MAX_HEADER_BYTES) {
    throw new CodecError(`The headers exceed ${MAX_HEADER_BYTES} bytes`);
  }
  return text;
}

/** What {@link writeHead} writes for a message without headers of its own, and most frames are: no need for a JSON parser. */
const plainHead = /^\{"id":"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})","time":(\d{1,15})\}$/;

/** Reads a head. Total: any text gives a head or a {@link CodecError}. */
export function readHead(text: string): FrameHead {
  const plain = plainHead.exec(text);
  if (plain) return { id: plain[1], timestamp: Number(plain[2]), headers: noHeaders };
  const fields = parseObject(text);
  const { id, time } = fields;
  if (typeof id !== 'string' || id.length === 0 || id.length > 200)
    throw new CodecError('The frame has no valid id');
  if (typeof time !== 'number' || !Number.isFinite(time)) throw new CodecError('The frame has no valid time');
  return { id, timestamp: time, headers: checkedHeaders(fields) };
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
