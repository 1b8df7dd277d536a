import { fromNobodysContext } from '../driver/async-context.js';
import { type LockInspection, type LockPage, offersLockInspection } from '../driver/lock-inspection.js';
import type { LockClaim, LockHint, LockMode, LockStore } from '../driver/lock-store.js';
import { assertOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { LockLostError, LockNotAcquiredError } from '../errors/lock.errors.js';
import { aClock, aDuration, aFunction, having, type OptionKinds } from '../errors/option-kinds.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { guardedTracing } from '../tracing/guarded-tracing.js';
import type { Tracing } from '../tracing/tracing.js';
import { ClaimReturns } from './claim-returns.js';
import { InFlight } from './in-flight.js';
import { KeyQueues } from './key-queue.js';
import type { Lock } from './lock.js';
import { LockAcquisition } from './lock-acquisition.js';
import type { LockDeps } from './lock-deps.js';
import { guardedObserver, type LockObserver, silentObserver } from './lock-observer.js';
import { type LockOptions, resolveLockOptions, toLockKeys, toTtlMs } from './lock-options.js';
import {
  holding,
  type LockedWork,
  LockScope,
  ReadWriteLock,
  type ScopeClaims,
  Semaphore,
  workLast,
} from './lock-scope.js';
import {
  type ForcedRelease,
  type ForceReleaseOptions,
  type LockListOptions,
  LockSteward,
  warnOfForce,
} from './lock-steward.js';
import { LockWaiters } from './lock-waiters.js';
import { ownerTag, ownerToken } from './owner-token.js';
import { traced } from './traced-lock.js';

/** What a {@link LockManager} does when a lock's own options do not say. */
export interface LockManagerOptions {
  /** @default '5m' */
  ttl?: Duration;
  /** @default '10s' */
  wait?: Duration;
  /** @default the computer's clock */
  clock?: Clock;
  /** Told of every operation, for metrics. @default nobody */
  observer?: LockObserver;
  /** @default nothing is traced */
  tracing?: Tracing;
  /** Told when a lock was taken from its holders by `forceRelease`, which waits for it. @default a line by `console.warn` */
  onForcedRelease?: (deed: ForcedRelease) => unknown;
}

const managerKinds: OptionKinds<LockManagerOptions> = {
  ttl: aDuration,
  wait: aDuration,
  clock: aClock,
  observer: having('an observer of locks', 'operation', 'waited', 'held', 'lost'),
  tracing: having('what traces, as openTelemetry() makes it', 'begin'),
  onForcedRelease: aFunction,
};

/** Locks, semaphores and read-write locks over a {@link LockStore}. Usable alone: connect it, and close it in the end. */
export class LockManager {
  private readonly defaults: { readonly ttlMs: number; readonly waitMs: number };
  private readonly deps: LockDeps;
  private readonly steward: LockSteward;
  private readonly tag = ownerTag();
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly store: LockStore,
    options: LockManagerOptions = {},
  ) {
    assertOptions('LockManager', options, managerKinds);
    const { ttl = '5m', wait = '10s', clock = systemClock, observer = silentObserver } = options;
    this.steward = new LockSteward(store, options.onForcedRelease ?? warnOfForce);
    this.defaults = { ttlMs: toTtlMs(ttl), waitMs: toMilliseconds(wait, 'wait') };
    const guarded = guardedObserver(observer);
    this.deps = {
      store,
      clock,
      observer: guarded,
      tracing: options.tracing && guardedTracing(options.tracing),
      queues: new KeyQueues(),
      waiters: new LockWaiters(guarded),
      returns: new ClaimReturns(store, clock),
      inFlight: new InFlight(),
      attended: new Set(),
    };
    if (offersLockInspection(store)) store.introduce(this.tag);
  }

  /** Connects the store. May be repeated after it rejected; does nothing while connected. */
  async connect(): Promise<void> {
    this.assertOpen();
    await fromNobodysContext(() => this.store.connect());
    this.assertOpen();
    this.unsubscribe ??= this.store.onReleased((hint) => this.hear(hint));
  }

  /**
   * Ends all waiting with ClosedError, gives back what it still asked for, and closes the store; for a store that does not
   * answer it waits a second. Locks still held are extended no more and their signals abort; they stay taken until their
   * ttl is over, as their work may still be running. Idempotent.
   */
  async close(): Promise<void> {
    const { attended, waiters, returns, inFlight } = this.deps;
    waiters.close();
    for (const lock of attended) lock.abandon(new ClosedError('The lock manager is closed'));
    await returns.close(inFlight.idle());
    this.unsubscribe?.();
    this.unsubscribe = undefined;
    await this.store.close();
  }

  /**
   * Waits for the lock of `keys`; several are taken all or none, and on a cluster must share a hash tag, as in
   * `'{order:1}:stock'`. Not reentrant. Rejects with LockNotAcquiredError when `wait` is over, AbortedError when `signal`
   * fires, LockUnavailableError when the store could not be asked, LockNotReplicatedError, ClosedError, and
   * ConfigurationError for a bad key or option; nothing is then held.
   */
  acquire(keys: string | readonly string[], options: LockOptions = {}): Promise<Lock> {
    return this.waitFor(keys, exclusive, options);
  }

  /** The lock if it is free now, else null. Rejects as {@link acquire} does, but not with LockNotAcquiredError. */
  tryAcquire(keys: string | readonly string[], options: LockOptions = {}): Promise<Lock | null> {
    return this.tryFor(keys, exclusive, options);
  }

  /**
   * Holds the lock while `work` runs, extends it meanwhile, and releases it in the end, whatever happens. `lock.signal`,
   * also the second argument, aborts before validity ends: pass it on. An error of the work is thrown as it is; when the
   * work succeeded but the lock was lost meanwhile, rejects with LockLostError. Otherwise rejects as {@link acquire}.
   */
  using<Result>(keys: string | readonly string[], work: LockedWork<Result>): Promise<Result>;
  using<Result>(
    keys: string | readonly string[],
    options: LockOptions,
    work: LockedWork<Result>,
  ): Promise<Result>;
  async using<Result>(
    keys: string | readonly string[],
    first: LockOptions | LockedWork<Result>,
    second?: LockedWork<Result>,
  ): Promise<Result> {
    const [options, work] = workLast(first, second);
    return holding(this.acquire(keys, { autoExtend: true, ...options }), work, this.deps.tracing);
  }

  /** A semaphore; throws ConfigurationError unless `permits` is a whole number from 1 on. Costs nothing until used. */
  semaphore(name: string, permits: number): Semaphore {
    if (!Number.isSafeInteger(permits) || permits < 1) {
      throw new ConfigurationError('A semaphore needs a whole number of permits, 1 or more');
    }
    toLockKeys(name);
    return new Semaphore(name, permits, this.scope(name, { mode: 'shared', permits }));
  }

  /** A read-write lock. Costs nothing until used. */
  readWrite(name: string): ReadWriteLock {
    toLockKeys(name);
    const [readers, writers] = [this.scope(name, readShare), this.scope(name, exclusive)];
    return new ReadWriteLock(name, new LockScope(readers), new LockScope(writers));
  }

  /**
   * Who holds the lock of `key`, since and until when, and how many wait for it. Changes nothing. Rejects with
   * ConfigurationError for a bad key or a store that cannot tell, and with LockUnavailableError.
   */
  inspect(key: string): Promise<LockInspection> {
    return this.steward.inspect(key);
  }

  /**
   * Locks that are held, page by page: each page names the `cursor` of the next. Redis looks through all its keys for them, up
   * to 100,000 a page, so this is for people who look, not for what looks every second. Rejects as {@link inspect}.
   */
  list(options: LockListOptions = {}): Promise<LockPage> {
    return this.steward.list(options);
  }

  /**
   * Takes a lock from all who hold it, for good: the next who waits gets it, with a larger fencing token. Resolves with how many
   * lost it. The signals of former holders abort with LockLostError: at once where their process hears of it, as it does
   * once it has waited for a lock or extended one, otherwise when they next extend or release. Their work may run on until
   * then: the fencing token is what a resource tells them by. Rejects as {@link inspect}.
   */
  forceRelease(key: string, options: ForceReleaseOptions): Promise<number> {
    return this.steward.forceRelease(key, options);
  }

  private hear(hint: LockHint): void {
    if (!hint.lost) {
      this.deps.waiters.hint(hint);
      return;
    }
    for (const lock of this.deps.attended) {
      if (lock.claim.token !== hint.token) continue;
      lock.abandon(new LockLostError(lock.claim.keys));
      // Who waits here for this holder may ask the store now.
      this.deps.queues.at(lock.claim.keys[0])?.wakeFirst();
    }
  }

  private scope(name: string, share: Share): ScopeClaims {
    return {
      acquire: (options = {}) => this.waitFor(name, share, options),
      tryAcquire: (options = {}) => this.tryFor(name, share, options),
      tracing: this.deps.tracing,
    };
  }

  private async waitFor(keys: Keys, share: Share, options: LockOptions): Promise<Lock> {
    const acquisition = this.acquisition(keys, share, options);
    return traced(this.deps.tracing, acquisition.claim.keys, async () => {
      const lock = await acquisition.run();
      if (lock !== undefined) return lock;
      throw new LockNotAcquiredError(acquisition.claim.keys, acquisition.waitedMs());
    });
  }

  private async tryFor(keys: Keys, share: Share, options: LockOptions): Promise<Lock | null> {
    const acquisition = this.acquisition(keys, share, { wait: 0, ...options });
    return traced(this.deps.tracing, acquisition.claim.keys, async () => (await acquisition.run()) ?? null);
  }

  private acquisition(keys: Keys, { mode, permits }: Share, options: LockOptions): LockAcquisition {
    const resolved = resolveLockOptions(options, this.defaults);
    const { ttlMs } = resolved;
    const claim: LockClaim = { keys: toLockKeys(keys), token: ownerToken(this.tag), mode, permits, ttlMs };
    this.assertOpen();
    return new LockAcquisition(this.deps, claim, resolved);
  }

  private assertOpen(): void {
    if (this.deps.waiters.closed) throw new ClosedError('The lock manager is closed');
  }
}

type Keys = string | readonly string[];
type Share = { readonly mode: LockMode; readonly permits: number };

const exclusive: Share = { mode: 'exclusive', permits: 0 };
const readShare: Share = { mode: 'shared', permits: 0 };
