import { randomBytes } from 'node:crypto';
import type { Headers } from '../../message/headers.js';

/** Headers of a request: where its replies go, which it is, and until when it may be started (epoch milliseconds). */
export const REPLY_TO_HEADER = 'x-reply-to';
export const REQUEST_ID_HEADER = 'x-request-id';
export const DEADLINE_HEADER = 'x-deadline';
/** Headers of a reply beside the request's id: its kind, its number among the responder's, and who the responder is. */
export const REPLY_KIND_HEADER = 'x-reply';
export const REPLY_SEQUENCE_HEADER = 'x-reply-seq';
export const RESPONDER_HEADER = 'x-responder';

/** Where requests that nobody waits for any more are called off. Reserved in the topic grammar. */
export const CANCEL_TOPIC = 'disco:cancel';

/** `value`: more follows. `last`: a value, and the end. `end`: the end without one. `error`: the failure, and the end. */
export type ReplyKind = 'value' | 'last' | 'end' | 'error';

const kinds: ReadonlySet<string> = new Set<ReplyKind>(['value', 'last', 'end', 'error']);
const hex128 = /^[0-9a-f]{32}$/;
const decimal = /^\d{1,15}$/;
/** A deadline further away than a timer reaches is no deadline of ours. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** A new random name of 128 bits, 32 hexadecimal digits: it cannot be guessed. */
export function random128(): string {
  return randomBytes(16).toString('hex');
}

/** The topic of a reply inbox. Reserved: no publish or subscription of a caller reaches it. */
export function inboxTopic(name: string): string {
  return `reply:${name}`;
}

/** What the headers of a request say. */
export interface RequestEnvelope {
  readonly id: string;
  /** The inbox's 32 hexadecimal digits. */
  readonly replyTo: string;
  /** When the requester gives up, milliseconds since the epoch. */
  readonly deadlineMs: number;
}

/** Reads a request's headers: undefined unless all three are exactly as a requester writes them. */
export function readRequest(headers: Headers, nowMs: number): RequestEnvelope | undefined {
  const { [REPLY_TO_HEADER]: replyTo, [REQUEST_ID_HEADER]: id, [DEADLINE_HEADER]: deadline } = headers;
  if (!isHex128(replyTo) || !isHex128(id)) return undefined;
  if (deadline === undefined || !decimal.test(deadline)) return undefined;
  const deadlineMs = Number(deadline);
  return deadlineMs - nowMs > LONGEST_WAIT_MS ? undefined : { id, replyTo, deadlineMs };
}

/** What the headers of a reply say. */
export interface ReplyEnvelope {
  readonly id: string;
  readonly kind: ReplyKind;
  /** From 0 for each responder. */
  readonly sequence: number;
  readonly responder: string;
}

/** Reads a reply's headers; undefined for what is no reply. */
export function readReply(headers: Headers): ReplyEnvelope | undefined {
  const { [REQUEST_ID_HEADER]: id, [REPLY_KIND_HEADER]: kind, [RESPONDER_HEADER]: responder } = headers;
  const sequence = headers[REPLY_SEQUENCE_HEADER];
  if (!isHex128(id) || !isHex128(responder)) return undefined;
  if (kind === undefined || !kinds.has(kind) || sequence === undefined || !decimal.test(sequence)) {
    return undefined;
  }
  return { id, kind: kind as ReplyKind, sequence: Number(sequence), responder };
}

/** Whether `text` is 32 hexadecimal digits. */
export function isHex128(text: string | undefined): text is string {
  return text !== undefined && hex128.test(text);
}
