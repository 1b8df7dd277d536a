import type { Lock } from './lock.js';
import type { LockOptions } from './lock-options.js';
import { LockScope } from './lock-scope.js';
import type { ScopeClaims } from './semaphore.js';

/**
 * Many readers or one writer, over all processes. Whoever comes later waits behind whoever waits, so that readers do not
 * starve a writer. The writer's lock is the exclusive lock of the same name.
 */
export class ReadWriteLock {
  /** Shared with other readers. */
  readonly read: LockScope;
  /** Alone. */
  readonly write: LockScope;

  constructor(
    readonly name: string,
    readers: ScopeClaims,
    writers: ScopeClaims,
  ) {
    this.read = new LockSide(readers);
    this.write = new LockSide(writers);
  }
}

class LockSide extends LockScope {
  constructor(private readonly claims: ScopeClaims) {
    super();
  }

  acquire(options?: LockOptions): Promise<Lock> {
    return this.claims.acquire(options);
  }

  tryAcquire(options?: LockOptions): Promise<Lock | null> {
    return this.claims.tryAcquire(options);
  }
}
