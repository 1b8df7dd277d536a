import type { LockClaim } from '../driver/lock-store.js';
import type { LockValidity } from './lock-validity.js';
import type { LockWaiter } from './lock-waiter.js';

/** A lock is passed on inside a process this many times in a row before other processes have a turn. */
const mostHandOvers = 16;
/** Unused queues are cleared from this many queues on. */
const firstSweep = 1_024;

/**
 * Who in this process holds and wants one key: the holder, and the waiters in the order they came. Only the first waiter
 * talks to the store, and not even that one while the holder is known to hold. It is asked, and calls nobody but the
 * waiter that it wakes.
 */
export class KeyQueue {
  private busy = false;
  private asking = false;
  /** Made for the first one: most queues see none. */
  private waiters: Set<LockWaiter> | undefined;
  private holder: LockValidity | undefined;
  private handOvers = 0;

  /** Nobody of this process holds the key, waits for it or asks for it. */
  get unused(): boolean {
    return !this.asking && this.first() === undefined && this.heldMs() === 0;
  }

  /** There is nothing to know of the key: nobody of this process is there, and the key was free when last asked for. */
  get empty(): boolean {
    return this.unused && !this.busy;
  }

  /** The key was `free` when it was asked for just now, or held elsewhere: so it will be likely to be the next time. */
  found(free: boolean): void {
    this.busy = !free;
  }

  /** Whether a caller may ask the store without standing in a queue, here or there: the key seems to be free. */
  beginAsking(): boolean {
    if (!this.empty) return false;
    this.asking = true;
    return true;
  }

  /** Who began to ask has the lock, or wants it no more. */
  endAsking(): void {
    this.asking = false;
  }

  /** Puts the waiter at the end, also one who has asked at once in vain. */
  enter(waiter: LockWaiter): void {
    this.waiters ??= new Set();
    this.waiters.add(waiter);
  }

  /** Takes the waiter out and, if it was the first, wakes the next one. */
  leave(waiter: LockWaiter): void {
    const wasFirst = this.isFirst(waiter);
    this.waiters?.delete(waiter);
    if (wasFirst) this.wakeFirst();
  }

  isFirst(waiter: LockWaiter): boolean {
    return this.first() === waiter;
  }

  /** How long the holder in this process will hold at least, if it does not release: 0 when there is none. */
  heldMs(): number {
    return this.holder?.remainingMs() ?? 0;
  }

  /** A waiter of this queue holds the key for as long as `validity` lasts. */
  hold(validity: LockValidity, handedOver: boolean): void {
    this.holder = validity;
    this.handOvers = handedOver ? this.handOvers + 1 : 0;
  }

  /** The holder gives the key up. The waiter to hand it over to; undefined where it is to go back to the store. */
  vacate(validity: LockValidity): LockWaiter | undefined {
    if (this.holder !== validity) return undefined;
    this.holder = undefined;
    return this.handOvers < mostHandOvers ? this.first() : undefined;
  }

  wakeFirst(): void {
    this.first()?.wake();
  }

  private first(): LockWaiter | undefined {
    return this.waiters?.values().next().value;
  }
}

/** The queues of a process, by key. */
export class KeyQueues {
  private readonly queues = new Map<string, KeyQueue>();
  private sweepAt = firstSweep;

  /** The queue of `key`, if this process knows anything of the key. */
  at(key: string): KeyQueue | undefined {
    return this.queues.get(key);
  }

  /** The queue for a claim; none for claims that share the key, want several, or leave the order to the store (`fair`). */
  for({ keys, mode }: LockClaim, fair: boolean): KeyQueue | undefined {
    if (mode === 'shared' || keys.length > 1 || fair) return undefined;
    let queue = this.queues.get(keys[0]);
    if (queue === undefined) {
      this.sweep();
      queue = new KeyQueue();
      this.queues.set(keys[0], queue);
    }
    return queue;
  }

  /** Forgets the queue of `key` if there is nothing to know of it any more. */
  tidy(key: string): void {
    if (this.queues.get(key)?.empty) this.queues.delete(key);
  }

  /** Locks that ran out and keys that were busy leave their queues behind: cleared whenever the queues have doubled. */
  private sweep(): void {
    if (this.queues.size < this.sweepAt) return;
    for (const [key, queue] of this.queues) if (queue.unused) this.queues.delete(key);
    this.sweepAt = Math.max(firstSweep, this.queues.size * 2);
  }
}
