import type { LockClaim } from '../../lib/driver/lock-store.js';

// What a lock has claimed is no part of its public type; the specs look at it, to find the lock at its store.
declare module '../../lib/lock/lock.js' {
  interface Lock {
    readonly claim: LockClaim;
  }
}
