import { DiscoBusError } from './disco-bus-error.js';

/** An option is missing, malformed or contradicts another one. Thrown where the option is given, never later. */
export class ConfigurationError extends DiscoBusError {
  readonly code = 'DISCO_CONFIGURATION';
}

/**
 * A topic is used in two ways that exclude each other: at most once and at least once, or on two wires. The message names both
 * sides. Nothing was sent, and nothing is read. It goes well once the other side has stopped, or agrees.
 */
export class TopicConflictError extends DiscoBusError {
  readonly code = 'DISCO_TOPIC_CONFLICT';

  constructor(
    message: string,
    readonly topic: string,
  ) {
    super(message);
  }
}

/** A bus was built without a driver (`ErrNilDriver` of the Go library). */
export class DriverMissingError extends DiscoBusError {
  readonly code = 'DISCO_DRIVER_MISSING';

  constructor() {
    super('A bus needs a driver: redisDriver(), memoryDriver() or one of your own');
  }
}

/** The bus was not started, or has no connection to its server (`ErrNotConnected` of the Go library). */
export class NotConnectedError extends DiscoBusError {
  readonly code = 'DISCO_NOT_CONNECTED';
  override readonly retryable = true;
}

/** The bus, driver or subscription is closed, or is draining and takes nothing new. */
export class ClosedError extends DiscoBusError {
  readonly code = 'DISCO_CLOSED';
}

/** The caller's AbortSignal fired before anything was sent; the signal's reason is the `cause`. Named `AbortError` as on the platform. */
export class AbortedError extends DiscoBusError {
  readonly code = 'DISCO_ABORTED';

  constructor(reason: unknown) {
    super('The operation was aborted', { cause: reason });
    this.name = 'AbortError';
  }
}
