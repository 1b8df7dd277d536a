import { DiscoBusError } from './disco-bus-error.js';

/** Somebody else held the lock for as long as the caller was willing to wait. Nothing is left behind. */
export class LockNotAcquiredError extends DiscoBusError {
  readonly code = 'DISCO_LOCK_NOT_ACQUIRED';
  override readonly retryable = true;

  constructor(
    readonly keys: readonly string[],
    readonly waitedMs: number,
  ) {
    super(`The lock ${quote(keys)} was not acquired within ${Math.round(waitedMs)} ms`);
  }
}

/**
 * The lock is no longer this owner's: its time ran out, or the store no longer knows it. Another owner may be at work;
 * whatever was protected must be stopped, or rejected by its fencing token.
 */
export class LockLostError extends DiscoBusError {
  readonly code = 'DISCO_LOCK_LOST';

  constructor(
    readonly keys: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`The lock ${quote(keys)} is no longer held`, options);
  }
}

/** The store of the locks could not be asked; the `cause` says why. Whether a lock was taken is unknown: it frees itself by its ttl. */
export class LockUnavailableError extends DiscoBusError {
  readonly code = 'DISCO_LOCK_UNAVAILABLE';
  override readonly retryable = true;
}

/** Fewer replicas than `minReplicas` confirmed the lock in time. It was released again. */
export class LockNotReplicatedError extends DiscoBusError {
  readonly code = 'DISCO_LOCK_NOT_REPLICATED';
  override readonly retryable = true;

  constructor(
    readonly keys: readonly string[],
    readonly replicas: number,
    readonly minReplicas: number,
  ) {
    super(`The lock ${quote(keys)} reached ${replicas} replicas; ${minReplicas} were asked for`);
  }
}

/** Control characters of a key never reach a log. */
function quote(keys: readonly string[]): string {
  const text = keys.map((key) => JSON.stringify(key.slice(0, 80))).slice(0, 4);
  return keys.length > text.length ? `${text.join(', ')}, …` : text.join(', ');
}
