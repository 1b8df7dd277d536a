import type { LockHint } from '../driver/lock-store.js';
import type { LockWaiter } from './lock-waiter.js';

/** Those of one manager who wait for a lock, by owner token: that is what the store's hints name. */
export class LockWaiters {
  private readonly waiters = new Map<string, LockWaiter>();
  /** Nobody is to wait any more. */
  closed = false;

  add(waiter: LockWaiter): void {
    this.waiters.set(waiter.claim.token, waiter);
  }

  remove(waiter: LockWaiter): void {
    this.waiters.delete(waiter.claim.token);
  }

  /** Tells the waiter that `hint` names, or all of them. */
  hint(hint: LockHint): void {
    if (hint.token !== undefined) this.waiters.get(hint.token)?.hint(hint);
    else for (const waiter of this.waiters.values()) waiter.hint(hint);
  }

  /** Ends all waiting. */
  close(): void {
    this.closed = true;
    for (const waiter of this.waiters.values()) waiter.stop();
  }
}
