/** Every code an error of this package can carry. Codes are stable: they only ever get added. */
export type DiscoBusErrorCode =
  | 'DISCO_TOPIC_INVALID'
  | 'DISCO_MESSAGE_UNDEFINED'
  | 'DISCO_MESSAGE_INVALID'
  | 'DISCO_MESSAGE_TOO_LARGE'
  | 'DISCO_CODEC'
  | 'DISCO_HANDLER_MISSING'
  | 'DISCO_HANDLER_UNKNOWN'
  | 'DISCO_HANDLER_TIMEOUT'
  | 'DISCO_HANDLER_PANIC'
  | 'DISCO_UNRECOVERABLE'
  | 'DISCO_VERSION_UNKNOWN'
  | 'DISCO_DRIVER_MISSING'
  | 'DISCO_DRIVER'
  | 'DISCO_NOT_CONNECTED'
  | 'DISCO_CLOSED'
  | 'DISCO_ABORTED'
  | 'DISCO_PUBLISH_TIMEOUT'
  | 'DISCO_PUBLISH_OUTCOME_UNKNOWN'
  | 'DISCO_BACKPRESSURE'
  | 'DISCO_BATCH_PARTLY_SENT'
  | 'DISCO_STREAM_FULL'
  | 'DISCO_NOT_REPLICATED'
  | 'DISCO_NO_RESPONDERS'
  | 'DISCO_REQUEST_TIMEOUT'
  | 'DISCO_REPLY_LOST'
  | 'DISCO_REPLY_INVALID'
  | 'DISCO_REMOTE'
  | 'DISCO_LOCK_NOT_ACQUIRED'
  | 'DISCO_LOCK_LOST'
  | 'DISCO_LOCK_UNAVAILABLE'
  | 'DISCO_LOCK_NOT_REPLICATED'
  | 'DISCO_WOULD_LOSE_MESSAGES'
  | 'DISCO_CONFIGURATION'
  | 'DISCO_TOPIC_CONFLICT';

const brand = Symbol.for('nestjs-disco-bus.error');

/**
 * The root of every error this package throws. `code` tells the cases apart and is stable across releases, `retryable`
 * says whether the same call may succeed later unchanged, `cause` holds what led to it.
 * The text never contains a password or a payload.
 */
export abstract class DiscoBusError extends Error {
  abstract readonly code: DiscoBusErrorCode;
  readonly retryable: boolean = false;
  readonly [brand] = true;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * Whether `error` is one of this package's, and carries `code` when one is given. Also true across two installed copies
 * of the package, where `instanceof` fails.
 */
export function isDiscoBusError(error: unknown, code?: DiscoBusErrorCode): error is DiscoBusError {
  const branded = typeof error === 'object' && error !== null && brand in error;
  return branded && (code === undefined || (error as DiscoBusError).code === code);
}
