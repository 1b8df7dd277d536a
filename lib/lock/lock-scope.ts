import { LockLostError } from '../errors/lock.errors.js';
import type { Lock } from './lock.js';
import type { LockOptions } from './lock-options.js';

/** Work that is done under a lock. Its result is the result of `using`. */
export type LockedWork<Result> = (lock: Lock, signal: AbortSignal) => Result | Promise<Result>;

/** The three ways to take a lock of which the key is settled. */
export abstract class LockScope {
  /**
   * Waits for the lock. Rejects with LockNotAcquiredError when `wait` is over, AbortedError when `signal` fires,
   * LockUnavailableError when the store could not be asked, ConfigurationError for bad options.
   */
  abstract acquire(options?: LockOptions): Promise<Lock>;

  /** The lock if it is free now, else null. `wait` may be given. Rejects only when the store could not be asked. */
  abstract tryAcquire(options?: LockOptions): Promise<Lock | null>;

  /** Holds the lock while `work` runs: see {@link LockManager.using}. */
  using<Result>(work: LockedWork<Result>): Promise<Result>;
  using<Result>(options: LockOptions, work: LockedWork<Result>): Promise<Result>;
  using<Result>(first: LockOptions | LockedWork<Result>, second?: LockedWork<Result>): Promise<Result> {
    const [options, work] = typeof first === 'function' ? [{}, first] : [first, second!];
    return holding(this.acquire({ autoExtend: true, ...options }), work);
  }
}

/**
 * Runs `work` under the lock and releases it in the end, whatever happens. An error of the work is thrown as it is. When
 * the work succeeded but the lock was lost meanwhile, rejects with LockLostError; when only the release failed for want
 * of an answer, the work's result stands, and the lock is given back once the store answers again.
 */
export async function holding<Result>(acquired: Promise<Lock>, work: LockedWork<Result>): Promise<Result> {
  const lock = await acquired;
  let result: Result;
  try {
    result = await work(lock, lock.signal);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  await lock.release().catch((error: unknown) => {
    if (error instanceof LockLostError) throw error;
    lock.leave(error);
  });
  return result;
}
