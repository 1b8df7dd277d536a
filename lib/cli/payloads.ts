import type { Message } from '../message/message.js';

/** Characters of a payload that a table shows of it; --json has all. */
const SHOWN = 200;

/** A message as `--json` prints it. */
export function messageRow(message: Message | undefined) {
  if (message === undefined) return { readable: false };
  const { id, headers, payload, timestamp } = message;
  return { readable: true, id, publishedAt: timestamp, headers: { ...headers }, payload: payloadOf(payload) };
}

/** A payload on one line; undefined where it cannot be read. */
export function payloadText(message: Message | undefined, most = SHOWN): string {
  if (message === undefined) return '(cannot be read)';
  const text = JSON.stringify(payloadOf(message.payload)) ?? 'undefined';
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Bytes are told in base64: JSON has none. */
function payloadOf(payload: unknown): unknown {
  return payload instanceof Uint8Array ? { base64: Buffer.from(payload).toString('base64') } : payload;
}
