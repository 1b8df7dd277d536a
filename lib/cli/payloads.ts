import type { Message } from '../message/message.js';
import { usageError } from './exit-codes.js';

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

/** What a text in JSON says. Throws a usage error that does not tell the text: it may hold what is nobody's business. */
export function parsedJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usageError(`${what} is not JSON; a text is written "text", within the shell's quotes`);
  }
}

/** Headers in JSON, as `--headers` gives them. Throws a usage error for what is no object of texts. */
export function parsedHeaders(text: string): Record<string, string> {
  const headers = parsedJson(text, '--headers');
  const isObject = typeof headers === 'object' && headers !== null && !Array.isArray(headers);
  if (isObject && Object.values(headers).every((value) => typeof value === 'string'))
    return headers as Record<string, string>;
  throw usageError(`--headers must be an object of texts, as '{"x-tenant":"a"}'`);
}
