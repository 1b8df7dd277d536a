import type { LockHint } from '../driver/lock-store.js';
import type { LockObserver } from './lock-observer.js';
import type { LockWaiter } from './lock-waiter.js';

/** Those of one manager who wait for a lock, by owner token: that is what the store's hints name. */
export class LockWaiters {
  private readonly waiters = new Map<string, LockWaiter>();

  /** Nobody is to wait any more. */
  closed = false;

  constructor(private readonly observer: LockObserver) {}

  add(waiter: LockWaiter): void {
    const { token } = waiter.claim;
    if (!this.waiters.has(token)) this.observer.waiting?.(1);
    this.waiters.set(token, waiter);
  }

  remove(waiter: LockWaiter): void {
    if (this.waiters.delete(waiter.claim.token)) this.observer.waiting?.(-1);
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
