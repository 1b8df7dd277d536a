import { randomFillSync } from 'node:crypto';
import type { Headers } from '../../message/headers.js';

/**
 * Headers of a request: where its replies go, which it is, and for how long it may be started (milliseconds). That is a
 * length of time, and counts from when it was received or stored: the clocks of the two sides need not agree. Without an id
 * of its own a request, or a reply, is known by its message's id.
 */
export const REPLY_TO_HEADER = 'x-reply-to';
export const REQUEST_ID_HEADER = 'x-reply-id';
export const TIMEOUT_HEADER = 'x-timeout';
/** Headers of a reply beside the request's id: its kind, its number among the responder's, and who the responder is. */
export const REPLY_KIND_HEADER = 'x-reply';
export const REPLY_SEQUENCE_HEADER = 'x-reply-seq';
export const RESPONDER_HEADER = 'x-responder';

/** Where requests that nobody waits for any more are called off. Reserved in the topic grammar. */
export const CANCEL_TOPIC = 'disco:cancel';

/**
 * `value`: more follows. `last`: a value, and the end. `end`: the end without one. `error`: the failure, and the end.
 * `gone`: the responder is closing or paused, and has not handled the request.
 */
export type ReplyKind = 'value' | 'last' | 'end' | 'error' | 'gone';

const kinds: ReadonlySet<string> = new Set<ReplyKind>(['value', 'last', 'end', 'error', 'gone']);
const hex128 = /^[0-9a-f]{32}$/;
const decimal = /^\d{1,15}$/;
/** What is left of a timeout is rounded up to a multiple of this, so that the requests of a burst share their headers. */
export const TIMEOUT_STEP_MS = 16;
/** Longer than a timer reaches is no timeout of ours. */
const LONGEST_WAIT_MS = 2 ** 31 - 1 + TIMEOUT_STEP_MS;

/** Random bytes are fetched by the page: a call for each sixteen would be the dearest part of a request. */
const randomness = Buffer.allocUnsafeSlow(4096);
let randomAt = randomness.length;

/** Takes 16 random bytes; returns where they are. */
function sixteenBytes(): number {
  if (randomAt === randomness.length) {
    randomFillSync(randomness);
    randomAt = 0;
  }
  randomAt += 16;
  return randomAt - 16;
}

/** A new random name of 128 bits, 32 hexadecimal digits: it cannot be guessed. */
export function random128(): string {
  const at = sixteenBytes();
  return randomness.toString('hex', at, at + 16);
}

/** Slots that an id can name. */
export const ID_SLOTS = 2 ** 24;

/** A new id of a request: 32 hexadecimal digits, of which 6 are `slot` and 26, 104 bits, are random and cannot be guessed. */
export function requestId(slot: number): string {
  const at = sixteenBytes();
  randomness.writeUIntBE(slot, at, 3);
  return randomness.toString('hex', at, at + 16);
}

/** The slot that an id of {@link requestId} names; any other text gives any number, or NaN. */
export function slotOf(id: string): number {
  return Number.parseInt(id.slice(0, 6), 16);
}

/** The topic of a reply inbox. Reserved: no publish or subscription of a caller reaches it. */
export function inboxTopic(name: string): string {
  return `reply:${name}`;
}

/** What the headers of a request say. */
export interface RequestEnvelope {
  readonly id: string;
  /** The inbox that its replies go to. */
  readonly replyTopic: string;
  /** How long the requester waited for the first reply when it sent the request. */
  readonly timeoutMs: number;
}

/** What the requests of one run have in common. */
type RequestOrigin = Omit<RequestEnvelope, 'id'>;

/** Reads the headers of requests. Those that came in one run share them, and they are looked at once. */
export class RequestReader {
  private headers: Headers | undefined;
  private origin: RequestOrigin | undefined;

  /** Undefined unless all are exactly as a requester writes them. */
  read(headers: Headers, messageId: string): RequestEnvelope | undefined {
    if (headers !== this.headers) {
      this.origin = originOf(headers);
      this.headers = headers;
    }
    const { origin } = this;
    const id = headers[REQUEST_ID_HEADER] ?? messageId;
    if (!origin || !isHex128(id)) return undefined;
    return { id, replyTopic: origin.replyTopic, timeoutMs: origin.timeoutMs };
  }
}

function originOf({
  [REPLY_TO_HEADER]: replyTo,
  [TIMEOUT_HEADER]: timeout,
}: Headers): RequestOrigin | undefined {
  if (!isHex128(replyTo) || timeout === undefined || !decimal.test(timeout)) return undefined;
  const timeoutMs = Number(timeout);
  return timeoutMs > LONGEST_WAIT_MS ? undefined : { replyTopic: inboxTopic(replyTo), timeoutMs };
}

/** What the headers of a reply say. */
export interface ReplyEnvelope {
  readonly kind: ReplyKind;
  /** From 0 for each responder. */
  readonly sequence: number;
  readonly responder: string;
}

/** What a responder's only reply says: it needs no number and no name. */
const ONLY: Readonly<Record<ReplyKind, ReplyEnvelope>> = {
  value: only('value'),
  last: only('last'),
  end: only('end'),
  error: only('error'),
  gone: only('gone'),
};

function only(kind: ReplyKind): ReplyEnvelope {
  return { kind, sequence: 0, responder: '' };
}

/** Reads a reply's headers; undefined for what is no reply. */
export function readReply(headers: Headers): ReplyEnvelope | undefined {
  const { [REPLY_KIND_HEADER]: kind, [RESPONDER_HEADER]: responder } = headers;
  if (kind === undefined || !kinds.has(kind)) return undefined;
  const sequence = headers[REPLY_SEQUENCE_HEADER];
  if (responder === undefined && sequence === undefined) return ONLY[kind as ReplyKind];
  if (!isHex128(responder) || sequence === undefined || !decimal.test(sequence)) return undefined;
  return { kind: kind as ReplyKind, sequence: Number(sequence), responder };
}

/** Whether `text` is 32 hexadecimal digits. */
export function isHex128(text: unknown): text is string {
  return typeof text === 'string' && hex128.test(text);
}
