import { DiscoBusError } from './disco-bus-error.js';
import { isError } from './is-error.js';

/** Nobody was there to answer a request: nothing has handled it, and nothing will. */
export class NoRespondersError extends DiscoBusError {
  readonly code = 'DISCO_NO_RESPONDERS';
  override readonly retryable = true;

  constructor(readonly topic: string) {
    super(`Nobody answers requests to "${topic}"`);
  }
}

/** Why a request was given up: its time was up, or replies may have been missed while the connection was gone. */
export type RequestTimeoutReason = 'timeout' | 'connection-lost';

/** No reply came. Whether the request was handled is unknown: only repeat what may happen twice. */
export class RequestTimeoutError extends DiscoBusError {
  readonly code = 'DISCO_REQUEST_TIMEOUT';
  readonly reason: RequestTimeoutReason;

  constructor(
    readonly topic: string,
    readonly timeoutMs: number,
    { reason = 'timeout', cause }: { reason?: RequestTimeoutReason; cause?: unknown } = {},
  ) {
    super(
      reason === 'timeout'
        ? `The request to "${topic}" was not answered within ${timeoutMs} ms; whether it was handled is unknown`
        : `The connection was lost while a request to "${topic}" was under way; whether it was handled is unknown`,
      cause === undefined ? undefined : { cause },
    );
    this.reason = reason;
  }
}

/** What a responder told of its failure. */
export interface RemoteFailure {
  readonly name?: string;
  readonly message: string;
  readonly code?: string;
}

/** A request was handled, and its reply does not fit the schema of the request: what came is not handed on. */
export class ReplyInvalidError extends DiscoBusError {
  readonly code = 'DISCO_REPLY_INVALID';

  constructor(
    readonly topic: string,
    /** What is wrong, field and rule, at most five. */
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`The reply to a request to "${topic}" is not valid: ${problems.join('; ')}`, options);
  }
}

/** Why a reply was lost: it cannot be read here, or too much came while one before it was being read. */
export type ReplyLostReason = 'unreadable' | 'overflow';

/** The request was handled and a reply came, but it cannot be used; of a stream, what came before was told. */
export class ReplyLostError extends DiscoBusError {
  readonly code = 'DISCO_REPLY_LOST';

  constructor(
    readonly topic: string,
    readonly reason: ReplyLostReason,
    cause?: unknown,
  ) {
    const because = isError(cause) ? `: ${cause.message}` : '';
    super(
      reason === 'unreadable'
        ? `A reply to a request to "${topic}" cannot be read${because}`
        : `More replies to a request to "${topic}" came than may wait to be read`,
      cause === undefined ? undefined : { cause },
    );
  }
}

/** The handler of a request failed, or the request could not be read there. Holds what it told of that: never a stack. */
export class RemoteError extends DiscoBusError {
  readonly code = 'DISCO_REMOTE';
  /** The name of the error at the responder. */
  readonly remoteName: string | undefined;
  /** The code of the error at the responder. */
  readonly remoteCode: string | undefined;

  constructor(
    readonly topic: string,
    failure: RemoteFailure,
    /** What came over the wire, as it was. */
    readonly details?: unknown,
  ) {
    super(failure.message);
    this.remoteName = failure.name;
    this.remoteCode = failure.code;
  }
}
