import { DiscoBusError, isDiscoBusError } from './disco-bus-error.js';
import { nearestName } from './nearest-name.js';

/** A subscription was asked for without a handler function (`ErrNilHandler` of the Go library). */
export class HandlerMissingError extends DiscoBusError {
  readonly code = 'DISCO_HANDLER_MISSING';

  constructor(topic: string) {
    super(`The handler for topic "${topic}" is not a function`);
  }
}

/** No handler of this process has the name that was asked for. */
export class UnknownHandlerError extends DiscoBusError {
  readonly code = 'DISCO_HANDLER_UNKNOWN';
  /** The name that differs least, if one differs little. */
  readonly nearest: string | undefined;

  constructor(
    readonly handler: string,
    known: readonly string[],
  ) {
    const nearest = nearestName(String(handler), known);
    const those = known.length === 0 ? 'there are none' : `there are ${[...new Set(known)].join(', ')}`;
    const hint = nearest === undefined ? those : `did you mean "${nearest}"?`;
    super(`No handler is named ${JSON.stringify(String(handler).slice(0, 100))}; ${hint}`);
    this.nearest = nearest;
  }
}

/** A handler did not settle within its `timeout`. Its `signal` is aborted with this error. */
export class HandlerTimeoutError extends DiscoBusError {
  readonly code = 'DISCO_HANDLER_TIMEOUT';
  override readonly retryable = true;

  constructor(
    readonly topic: string,
    readonly timeoutMs: number,
  ) {
    super(`The handler of topic "${topic}" did not settle within ${timeoutMs} ms`);
  }
}

/** A handler threw something that is not an Error; the thrown value is the `cause`. */
export class HandlerPanicError extends DiscoBusError {
  readonly code = 'DISCO_HANDLER_PANIC';
  override readonly retryable = true;

  constructor(thrown: unknown) {
    super(`The handler threw a value that is not an Error (${typeof thrown})`, { cause: thrown });
  }
}

/** Thrown by a handler to say that trying again is useless: the message is dead-lettered (or dropped) at once. */
export class UnrecoverableError extends DiscoBusError {
  readonly code = 'DISCO_UNRECOVERABLE';
}

/**
 * A pipe refused the payload before the handler ran, or the option `schema` did: the message is not tried again. `cause` is
 * the validator's own error.
 */
export class PayloadInvalidError extends UnrecoverableError {
  constructor(
    /** What is wrong, field and rule, at most five: `'count must be an integer number'`, `'items.0.count: invalid_type'`. */
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`The payload is not valid: ${problems.join('; ')}`, options);
  }
}

const unrecoverable = new WeakSet<Error>();

/** Says of an error of another kind that trying again is useless, and returns it. */
export function unrecoverably<E extends Error>(error: E): E {
  unrecoverable.add(error);
  return error;
}

/** Whether trying again after `error` is useless. */
export function isUnrecoverable(error: unknown): boolean {
  return isDiscoBusError(error, 'DISCO_UNRECOVERABLE') || unrecoverable.has(error as Error);
}
