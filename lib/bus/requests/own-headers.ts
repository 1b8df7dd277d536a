import type { Headers } from '../../message/headers.js';
import { CORRELATION_HEADER, currentCorrelationId } from '../../middleware/correlation.js';
import { REPLY_TO_HEADER, REQUEST_ID_HEADER, TIMEOUT_HEADER, TIMEOUT_STEP_MS } from './request-headers.js';

/** Writes the headers of the requests of one inbox. */
export class OwnHeaders {
  private lastTimeoutMs = -1;
  private last: Headers = {};

  constructor(private readonly inbox: string) {}

  /** Of a request that is known by its message's id: with its caller's headers, and the chain of messages it belongs to. */
  ofDirect(caller: Headers | undefined, leftMs: number, { id, timeoutMs }: TimedRequest): Headers {
    const headers = this.shared(told(leftMs, timeoutMs));
    const correlationId = currentCorrelationId();
    if (caller === undefined && correlationId === undefined) return headers;
    const chain = correlationId === undefined ? undefined : { [CORRELATION_HEADER]: correlationId };
    const renamed = caller?.[REQUEST_ID_HEADER] === undefined ? undefined : { [REQUEST_ID_HEADER]: id };
    return { ...chain, ...caller, ...headers, ...renamed };
  }

  /** Of a request that is published, whose message has an id of its own. */
  ofPublished(
    caller: Readonly<Record<string, string>> | undefined,
    leftMs: number,
    { id, timeoutMs }: TimedRequest,
  ): Record<string, string> {
    return {
      ...caller,
      [REPLY_TO_HEADER]: this.inbox,
      [REQUEST_ID_HEADER]: id,
      [TIMEOUT_HEADER]: String(told(leftMs, timeoutMs)),
    };
  }

  /** Requests with the same time left share their headers, and so a burst of them travels under one head. */
  private shared(leftMs: number): Headers {
    if (this.lastTimeoutMs !== leftMs) {
      this.lastTimeoutMs = leftMs;
      this.last = { [REPLY_TO_HEADER]: this.inbox, [TIMEOUT_HEADER]: String(leftMs) };
    }
    return this.last;
  }
}

interface TimedRequest {
  readonly id: string;
  readonly timeoutMs: number;
}

/** What the responder is told of the time that is left: all of it, or what is left in steps. */
function told(leftMs: number, timeoutMs: number): number {
  return Math.min(timeoutMs, Math.ceil(leftMs / TIMEOUT_STEP_MS) * TIMEOUT_STEP_MS);
}
