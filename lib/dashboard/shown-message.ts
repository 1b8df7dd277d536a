import type { Message } from '../message/message.js';
import type { DashboardPayloads } from './dashboard-options.js';

/** Characters of a payload that are sent; a page needs no more. */
const MOST = 20_000;
const DEEPEST = 20;
const MOST_NAMES = 200;

/** A message as the API tells it. */
export interface ShownMessage {
  readonly readable: boolean;
  readonly id?: string;
  readonly publishedAt?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** In JSON, or its beginning. */
  readonly payload?: string;
  readonly truncated?: true;
}

/** What `payloads` allows of a message. Who and when it is is always told. */
export function shownMessage(message: Message | undefined, payloads: DashboardPayloads): ShownMessage {
  if (message === undefined) return { readable: false };
  const { id, timestamp, headers, payload } = message;
  const told = { readable: true, id, publishedAt: timestamp };
  if (payloads === 'hidden') return told;
  const masks = payloads === 'masked';
  const text = JSON.stringify(masks ? masked(payload) : plain(payload)) ?? 'undefined';
  const shownHeaders = Object.entries(headers).map(([name, value]) => [
    name,
    masks ? maskedText(value) : value,
  ]);
  return {
    ...told,
    headers: Object.fromEntries(shownHeaders),
    payload: text.slice(0, MOST),
    ...(text.length > MOST && { truncated: true }),
  };
}

/** Names and kinds, without values. */
function masked(value: unknown, depth = 0): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
  if (typeof value === 'string') return maskedText(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value !== 'object') return typeof value;
  if (depth === DEEPEST) return '…';
  if (Array.isArray(value)) return value.slice(0, MOST_NAMES).map((each) => masked(each, depth + 1));
  const entries = Object.entries(value).slice(0, MOST_NAMES);
  return Object.fromEntries(entries.map(([name, each]) => [name, masked(each, depth + 1)]));
}

function maskedText(text: string): string {
  return `text of ${text.length}`;
}

/** Bytes are told in base64: JSON has none. */
function plain(payload: unknown): unknown {
  return payload instanceof Uint8Array ? { base64: Buffer.from(payload).toString('base64') } : payload;
}
