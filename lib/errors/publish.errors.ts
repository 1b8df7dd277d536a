import { DiscoBusError } from './disco-bus-error.js';

/** The publish timed out before anything was sent: the message was not published and never will be. */
export class PublishTimeoutError extends DiscoBusError {
  readonly code = 'DISCO_PUBLISH_TIMEOUT';
  override readonly retryable = true;

  constructor(
    readonly topic: string,
    readonly timeoutMs: number,
  ) {
    super(`Publishing to "${topic}" timed out after ${timeoutMs} ms; nothing was sent`);
  }
}

/** The message was sent but its confirmation never came: it may or may not have been published. Retry with the same id. */
export class PublishOutcomeUnknownError extends DiscoBusError {
  readonly code = 'DISCO_PUBLISH_OUTCOME_UNKNOWN';
  override readonly retryable = true;

  constructor(
    readonly topic: string,
    options?: ErrorOptions,
  ) {
    super(`A message for "${topic}" was sent, but whether it was published is unknown`, options);
  }
}

/** A bounded buffer is full; nothing was sent. Slow down, or try again later. */
export class BackpressureError extends DiscoBusError {
  readonly code = 'DISCO_BACKPRESSURE';
  override readonly retryable = true;
}
