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

/** The receipt of a message of a batch. */
export interface BatchReceipt {
  readonly id: string;
  readonly topic: string;
  readonly position?: string;
  readonly receivers?: number;
}

/**
 * A batch failed when some of it was published, or may have been. The failure that came first is the `cause`; nothing is
 * sent later. Publish again what `failed` names, and what `unknown` names with the same ids.
 */
export class BatchPartlySentError extends DiscoBusError {
  readonly code = 'DISCO_BATCH_PARTLY_SENT';

  constructor(
    readonly topic: string,
    /** The receipt of each message that was accepted, at the place of its payload; undefined at the places of the others. */
    readonly receipts: readonly (BatchReceipt | undefined)[],
    /** The places of the payloads that were not published and never will be, rising. */
    readonly failed: readonly number[],
    /** The places of the payloads that may have been published, rising. */
    readonly unknown: readonly number[],
    options?: ErrorOptions,
  ) {
    const accepted = receipts.length - failed.length - unknown.length;
    super(
      `Of ${receipts.length} messages for "${topic}" ${accepted} were published, ${failed.length} were not, and of ${unknown.length} it is unknown`,
      options,
    );
  }
}
