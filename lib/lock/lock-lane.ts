import type { Lock } from './lock.js';
import type { LockWaiter } from './lock-waiter.js';

/** So many times in a row a lock is passed on inside a process before the others have a turn. */
const maxHandOffs = 16;

const held = Promise.resolve(true);

/**
 * The claims of one process to one key: the holder among them, and the waiters in the order they came. Only the first
 * waiter talks to the store, and not even that one while the holder is known to hold.
 */
export class LockLane {
  /** Made for the first one: most lanes see none. */
  private waiters: Set<LockWaiter> | undefined;
  private holder: Lock | undefined;
  private handOffs = 0;

  enter(waiter: LockWaiter): void {
    this.waiters ??= new Set();
    this.waiters.add(waiter);
  }

  /** Takes the waiter out and wakes the next one. */
  leave(waiter: LockWaiter): void {
    const wasFirst = this.isFirst(waiter);
    this.waiters?.delete(waiter);
    if (wasFirst) this.first()?.wake();
  }

  isFirst(waiter: LockWaiter): boolean {
    return this.first() === waiter;
  }

  /** How long the holder in this process will hold at least, if it does not release: 0 when there is none. */
  heldMs(): number {
    return this.holder?.remainingMs() ?? 0;
  }

  /** Nobody holds or waits here. */
  get empty(): boolean {
    return this.first() === undefined && this.heldMs() === 0;
  }

  /** `lock` was granted to a waiter of this lane. */
  hold(lock: Lock, inherited: boolean): void {
    this.holder = lock;
    this.handOffs = inherited ? this.handOffs + 1 : 0;
  }

  /**
   * Passes `lock` on to the first waiter, if there is one and other processes have had their turn: without asking the
   * store if most of its time is left, else in one step with a new claim. Resolves whether it was still held, by our own
   * count or by the store's. Undefined: the lock is to be released at the store, and the first waiter woken once that is
   * under way.
   */
  passOn(lock: Lock): Promise<boolean | undefined> | undefined {
    if (this.holder !== lock) return undefined;
    this.holder = undefined;
    const heir = this.first();
    if (heir === undefined || this.handOffs >= maxHandOffs) return undefined;
    const rest = heir.takesOver ? lock.restFor(heir.claim) : undefined;
    if (rest !== undefined) {
      heir.pass(rest);
      return held;
    }
    return new Promise((resolve, reject) => {
      const settle = (outcome: boolean | Error | undefined) =>
        outcome instanceof Error ? reject(outcome) : resolve(outcome);
      heir.bequeath({ token: lock.claim.token, settle });
    });
  }

  /** `lock` is held no more, and not passed on. */
  dismiss(lock: Lock): void {
    if (this.holder === lock) this.holder = undefined;
  }

  /** Wakes the first waiter. */
  wakeFirst(): void {
    this.first()?.wake();
  }

  private first(): LockWaiter | undefined {
    return this.waiters?.values().next().value;
  }
}
