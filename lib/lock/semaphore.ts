import type { Lock } from './lock.js';
import type { LockOptions } from './lock-options.js';
import { LockScope } from './lock-scope.js';

/** How a scope asks its manager. */
export interface ScopeClaims {
  acquire(options?: LockOptions): Promise<Lock>;
  tryAcquire(options?: LockOptions): Promise<Lock | null>;
}

/**
 * Lets `permits` holders in at once, over all processes that use the same name and number. First come, first served.
 * An exclusive lock of the same name and its permits exclude each other.
 */
export class Semaphore extends LockScope {
  constructor(
    readonly name: string,
    readonly permits: number,
    private readonly claims: ScopeClaims,
  ) {
    super();
  }

  /** Waits for a permit; releasing the lock gives it back. Rejects as {@link LockManager.acquire} does. */
  acquire(options?: LockOptions): Promise<Lock> {
    return this.claims.acquire(options);
  }

  /** A permit if one is free now, else null. */
  tryAcquire(options?: LockOptions): Promise<Lock | null> {
    return this.claims.tryAcquire(options);
  }
}
