import type { Duration } from '../timing/duration.js';

/**
 * A lock that is held. Validity is counted on this process's monotonic clock from before the claim was sent, minus an
 * allowance of 1 % + 2 ms: it ends before the store's. That protects against everything but a process that is stopped
 * between looking and acting: for that, hand `fencingToken` to the protected resource and let it refuse smaller ones.
 */
export interface Lock extends AsyncDisposable {
  readonly keys: readonly string[];
  /** Larger than that of every earlier holder of any of the keys, also after the store lost its memory. */
  readonly fencingToken: bigint;
  /** Aborts shortly before validity ends, or when the lock is found lost. Never because of `release`. */
  readonly signal: AbortSignal;

  /** Milliseconds for which the lock may still be relied upon; 0 once it is released or lost. */
  remainingMs(): number;

  /** Whether the lock may be relied upon now. Once false, always false. Asks nobody. */
  isValid(): boolean;

  /** Throws LockLostError unless the lock is valid. */
  assertValid(): void;

  /**
   * Sets the time to live to `ttl` from now. Rejects with LockLostError when the lock is no longer held, and with
   * LockUnavailableError when the store could not be asked: the lock then stays valid for the rest of its time, or for
   * `ttl` where that ends sooner.
   * @param ttl defaults to the lock's own
   */
  extend(ttl?: Duration): Promise<void>;

  /**
   * Gives the lock up. Rejects with LockLostError if it was no longer valid, and with LockUnavailableError when the store
   * could not be asked: it may then be called again, and the ttl frees the lock in any case. Called again after it
   * resolved, it does nothing.
   */
  release(): Promise<void>;

  /**
   * For `await using`: releases and never rejects, so that an error of the block is not hidden. Where the store could not
   * be asked, the lock is over here, and given back once the store answers again.
   */
  [Symbol.asyncDispose](): Promise<void>;
}
