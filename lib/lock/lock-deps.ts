import type { LockClaim, LockStore } from '../driver/lock-store.js';
import type { Clock } from '../timing/clock.js';
import type { Tracing } from '../tracing/tracing.js';
import type { ClaimReturns } from './claim-returns.js';
import type { InFlight } from './in-flight.js';
import type { KeyQueues } from './key-queue.js';
import type { LockObserver } from './lock-observer.js';
import type { LockWaiters } from './lock-waiters.js';

/** What the locks of one manager, and those who want them, share. */
export interface LockDeps {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly observer: LockObserver;
  /** Undefined where nobody traces. */
  readonly tracing: Tracing | undefined;
  readonly queues: KeyQueues;
  readonly waiters: LockWaiters;
  /** For what nobody wants any more. */
  readonly returns: ClaimReturns;
  /** What the manager must not close the store under. */
  readonly inFlight: InFlight;
  /** The locks with a signal or an extension to end when the manager closes. */
  readonly attended: Set<{ readonly claim: LockClaim; abandon(reason: unknown): void }>;
}
