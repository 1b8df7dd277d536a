/** What was asked of a lock. */
export type LockOperation = 'acquire' | 'extend' | 'release';

/** `failed`: another holder was in the way, or the lock was lost. `error`: the store could not be asked. */
export type LockOperationStatus = 'success' | 'failed' | 'error';

/** Told what happens to locks, for metrics. Its methods must not throw. */
export interface LockObserver {
  operation(operation: LockOperation, status: LockOperationStatus): void;
  /** How long an acquisition that succeeded took, from the call on. */
  waited(seconds: number): void;
  /** How long a released lock was held. */
  held(seconds: number): void;
  /** A lock was lost before it was released: somebody else may hold it. Told once of each. */
  lost(lock: { readonly keys: readonly string[]; readonly fencingToken: bigint }): void;
}

/** Tells nobody. */
export const silentObserver: LockObserver = {
  operation() {},
  waited() {},
  held() {},
  lost() {},
};
