import { guardedGuest } from '../errors/guest.js';

/** What was asked of a lock. */
export type LockOperation = 'acquire' | 'extend' | 'release';

/** `failed`: another holder was in the way, or the lock was lost. `error`: the store could not be asked. */
export type LockOperationStatus = 'success' | 'failed' | 'error';

/** Told what happens to locks, for metrics. Its methods must not throw. */
export interface LockObserver {
  operation(operation: LockOperation, status: LockOperationStatus): void;
  /** Those who wait for a lock: +1 or -1. */
  waiting?(change: number): void;
  /** How long an acquisition that succeeded took, from the call on. */
  waited(seconds: number): void;
  /** How long a released lock was held. */
  held(seconds: number): void;
  /** A lock was lost before it was released: somebody else may hold it. Told once of each. */
  lost(lock: { readonly keys: readonly string[]; readonly fencingToken: bigint }): void;
}

const methods = ['operation', 'waited', 'held', 'lost'] as const;

/** `observer` as a guest: what it throws changes nothing, and is told once. */
export function guardedObserver(observer: LockObserver): LockObserver {
  return guardedGuest(observer, 'observer', observer.waiting ? [...methods, 'waiting'] : methods);
}

/** Tells nobody. */
export const silentObserver: LockObserver = {
  operation() {},
  waited() {},
  held() {},
  lost() {},
};
