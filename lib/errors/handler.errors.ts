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
    options: ErrorOptions & {
      /** Where the topic is to be told. */
      readonly topic?: string;
    } = {},
  ) {
    const { topic, ...others } = options;
    const what = topic === undefined ? 'The payload' : `The payload for "${topic}"`;
    super(`${what} is not valid: ${problems.join('; ')}`, others);
  }
}

/** Whether a payload was refused. Also of an error of another copy of this package, as a transport may meet one. */
export function isPayloadInvalid(error: unknown): error is PayloadInvalidError {
  return (
    isDiscoBusError(error, 'DISCO_UNRECOVERABLE') && Array.isArray((error as PayloadInvalidError).problems)
  );
}

/** A message was published in a later version of its topic than the handler knows. */
export class VersionUnknownError extends DiscoBusError {
  readonly code = 'DISCO_VERSION_UNKNOWN';
  /** The newest version that the handler knows. */
  readonly known: number;
  /** It comes back until a member of the group knows its version; otherwise it is given up. */
  readonly waits: boolean;

  constructor(
    readonly topic: string,
    readonly version: number,
    { known, waits }: { readonly known: number; readonly waits: boolean },
  ) {
    const fate = waits ? '; it waits for a member of the group that knows it' : '';
    super(`A message of "${topic}" has version ${version}, and this handler knows ${known}${fate}`);
    this.known = known;
    this.waits = waits;
  }
}

/** Whether a failed attempt only waits for a member of the group that can handle its message: it counts for nothing. */
export function isWaiting(error: unknown): boolean {
  return isDiscoBusError(error, 'DISCO_VERSION_UNKNOWN') && (error as VersionUnknownError).waits;
}

const unrecoverable = new WeakSet<Error>();

/** Says of an error of another kind that trying again is useless, and returns it. */
export function unrecoverably<E extends Error>(error: E): E {
  unrecoverable.add(error);
  return error;
}

/** Whether trying again after `error` is useless. */
export function isUnrecoverable(error: unknown): boolean {
  if (isDiscoBusError(error, 'DISCO_VERSION_UNKNOWN')) return !(error as VersionUnknownError).waits;
  return isDiscoBusError(error, 'DISCO_UNRECOVERABLE') || unrecoverable.has(error as Error);
}
