import type { DiscoDriver } from '../../driver/driver.js';
import { type LockStore, offersLocks } from '../../driver/lock-store.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aDuration, aString, checkedElsewhere, type OptionKinds } from '../../errors/option-kinds.js';
import { LockManager } from '../../lock/lock-manager.js';
import type { LockObserver } from '../../lock/lock-observer.js';
import { toTtlMs } from '../../lock/lock-options.js';
import type { ForcedRelease } from '../../lock/lock-steward.js';
import { LockStoreOnDemand } from '../../lock/lock-store-on-demand.js';
import type { Metrics } from '../../metrics/metrics.js';
import { noopMetrics } from '../../metrics/noop-metrics.js';
import type { Clock } from '../../timing/clock.js';
import { type Duration, toMilliseconds } from '../../timing/duration.js';
import type { Tracing } from '../../tracing/tracing.js';

/** Settings of a bus's locks. */
export interface BusLockOptions {
  /** A lock frees itself after this, unless extended: 100 ms to 2³¹−1 ms. @default '5m' */
  ttl?: Duration;
  /** How long to wait for a lock. @default '10s' */
  wait?: Duration;
  /**
   * Stands before every key of a lock. A `prefix` of the driver itself goes before this one, save before `''`: then locks
   * are kept by their bare keys, and exclude those of the Go library. @default the bus's `prefix`
   */
  prefix?: string;
  /** Where the locks are kept, as a `redlockStore([…])`; the bus connects and closes it. @default the driver's own server */
  store?: LockStore;
}

/** What each of {@link BusLockOptions} may be. */
export const busLockKinds: OptionKinds<BusLockOptions> = {
  ttl: aDuration,
  wait: aDuration,
  prefix: aString,
  store: checkedElsewhere,
};

/** What the locks of a bus need to know of it. */
export interface BusLockParts {
  readonly driver: DiscoDriver;
  readonly lock?: BusLockOptions;
  readonly prefix?: string;
  readonly service?: string;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
  readonly tracing?: Tracing;
  /** Told when a lock of this process was lost. */
  readonly onLost?: LockObserver['lost'];
  /** Told when a lock was taken from its holders. */
  readonly onForcedRelease?: (deed: ForcedRelease) => unknown;
}

const prefixes = /^(?:[A-Za-z0-9][A-Za-z0-9._:-]{0,99})?$/;

/** Throws ConfigurationError for malformed settings. */
export function assertLockOptions(options: BusLockOptions = {}): void {
  if (typeof options !== 'object' || options === null) throw new ConfigurationError('lock must be an object');
  const { ttl, wait, prefix, store } = options;
  if (ttl !== undefined) toTtlMs(ttl);
  if (wait !== undefined) toMilliseconds(wait, 'lock.wait');
  if (prefix !== undefined && !prefixes.test(prefix)) {
    throw new ConfigurationError('lock.prefix must be a name: letters, digits, ".", "_", ":" or "-"');
  }
  if (store !== undefined && typeof store?.acquire !== 'function') {
    throw new ConfigurationError('lock.store must be a lock store');
  }
  if (store !== undefined && prefix !== undefined) {
    throw new ConfigurationError('lock.store and lock.prefix exclude each other');
  }
}

/** The locks of a bus, which connect when the first one is asked for. */
export function locksOf({
  driver,
  lock = {},
  prefix,
  service,
  clock,
  metrics = noopMetrics,
  tracing,
  onLost,
  onForcedRelease,
}: BusLockParts): LockManager {
  const store = new LockStoreOnDemand(() => {
    if (lock.store) return lock.store;
    if (offersLocks(driver)) return driver.lockStore({ prefix: lock.prefix ?? prefix, service });
    throw new ConfigurationError(`The driver "${driver.name}" offers no locks; give the bus a lock.store`);
  });
  const { ttl, wait } = lock;
  return new LockManager(store, {
    ttl,
    wait,
    clock,
    observer: observerFor(metrics, onLost),
    tracing,
    onForcedRelease,
  });
}

function observerFor(metrics: Metrics, onLost: LockObserver['lost'] = () => {}): LockObserver {
  return {
    operation: (operation, status) => metrics.lockOperation(operation, status),
    waiting: (change) => metrics.lockWaiters?.(change),
    waited: (seconds) => metrics.lockWaited(seconds),
    held: (seconds) => metrics.lockHeld(seconds),
    lost: (lock) => {
      onLost(lock);
      return metrics.lockLost();
    },
  };
}
