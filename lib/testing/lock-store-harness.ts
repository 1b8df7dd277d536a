import { type LockStore } from '../driver/lock-store.js';

/** What the contract must know of a lock store and its surroundings. Only `createStore` is required. */
export interface LockStoreHarness {
  /** A new store, not connected. All of them keep their locks in the same place, like processes that share a server. */
  createStore(): LockStore | Promise<LockStore>;
  /** Lets time pass for the locks. @default waits */
  elapse?(ms: number): Promise<void>;
  /** Makes the server lose everything, counters included. Without it such cases are skipped. */
  forget?(): Promise<void>;
  /** How many timers, sockets and the like are open now. Without it such cases are skipped. */
  openHandles?(): number | Promise<number>;
  /** What the server keeps of locks and waiters at the moment, fencing counters aside. Without it such cases are skipped. */
  traces?(): number | Promise<number>;
  /** The store tells who holds what: `LockInspectionProvider`. Without it such cases are skipped. */
  readonly inspection?: true;
  /** Its locks can be taken away: `ForcedReleaseProvider`. Without it such cases are skipped. */
  readonly forcedRelease?: true;
  /** How long to wait for a hint. Milliseconds. @default 5_000 */
  readonly deadlineMs?: number;
}

/** Something that a harness may offer. */
export type LockStoreNeed = 'forget' | 'openHandles' | 'traces' | 'inspection' | 'forcedRelease';
