import type { LockClaim, LockHint, LockMode, LockStore } from '../driver/lock-store.js';
import { assertOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { guardedGuest } from '../errors/guest.js';
import { LockNotAcquiredError } from '../errors/lock.errors.js';
import { aClock, aDuration, having, type OptionKinds } from '../errors/option-kinds.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { ClaimReturns } from './claim-returns.js';
import type { HeldLock } from './held-lock.js';
import { InFlight } from './in-flight.js';
import { KeyQueues } from './key-queue.js';
import type { Lock } from './lock.js';
import { LockAcquisition } from './lock-acquisition.js';
import type { LockDeps } from './lock-deps.js';
import { type LockObserver, silentObserver } from './lock-observer.js';
import {
  type LockOptions,
  type ResolvedLockOptions,
  resolveLockOptions,
  toLockKeys,
  toTtlMs,
} from './lock-options.js';
import {
  holding,
  type LockedWork,
  LockScope,
  ReadWriteLock,
  type ScopeClaims,
  Semaphore,
} from './lock-scope.js';
import { ownerToken } from './owner-token.js';

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
}

const managerKinds: OptionKinds<LockManagerOptions> = {
  ttl: aDuration,
  wait: aDuration,
  clock: aClock,
  observer: having('an observer of locks', 'operation', 'waited', 'held', 'lost'),
};

/** Locks, semaphores and read-write locks over a {@link LockStore}. Usable alone: connect it, and close it in the end. */
export class LockManager {
  private readonly defaults: { readonly ttlMs: number; readonly waitMs: number };
  private readonly deps: LockDeps;
  /** Those under way, by owner token: that is what the store's hints name. */
  private readonly acquisitions = new Map<string, LockAcquisition>();
  private unsubscribe: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly store: LockStore,
    options: LockManagerOptions = {},
  ) {
    assertOptions('LockManager', options, managerKinds);
    const { ttl = '5m', wait = '10s', clock = systemClock, observer = silentObserver } = options;
    this.defaults = { ttlMs: toTtlMs(ttl), waitMs: toMilliseconds(wait, 'wait') };
    this.deps = {
      store,
      clock,
      observer: guardedGuest(observer, 'observer', ['operation', 'waited', 'held', 'lost']),
      queues: new KeyQueues(),
      returns: new ClaimReturns(store, clock),
      inFlight: new InFlight(),
      attended: new Set(),
    };
  }

  /** Connects the store. May be repeated after it rejected; does nothing while connected. */
  async connect(): Promise<void> {
    if (this.closed) throw new ClosedError('The lock manager is closed');
    await this.store.connect();
    if (this.closed) throw new ClosedError('The lock manager is closed');
    this.unsubscribe ??= this.store.onReleased((hint) => this.onHint(hint));
  }

  /**
   * Ends all waiting with ClosedError, gives back what it still asked for, and closes the store; for a store that does not
   * answer it waits a second. Locks still held are extended no more and their signals abort; they stay taken until their
   * ttl is over, as their work may still be running. Idempotent.
   */
  async close(): Promise<void> {
    this.closed = true;
    for (const acquisition of this.acquisitions.values()) acquisition.close();
    const { attended, returns, inFlight } = this.deps;
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
  using<Result>(
    keys: string | readonly string[],
    first: LockOptions | LockedWork<Result>,
    second?: LockedWork<Result>,
  ): Promise<Result> {
    const [options, work] = typeof first === 'function' ? [{}, first] : [first, second!];
    return holding(this.acquire(keys, { autoExtend: true, ...options }), work);
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

  private scope(name: string, share: Share): ScopeClaims {
    return {
      acquire: (options = {}) => this.waitFor(name, share, options),
      tryAcquire: (options = {}) => this.tryFor(name, share, options),
    };
  }

  private async waitFor(keys: string | readonly string[], share: Share, options: LockOptions): Promise<Lock> {
    const resolved = resolveLockOptions(options, this.defaults);
    const claim = toClaim(keys, share, resolved.ttlMs);
    const startMs = this.deps.clock.monotonic();
    const lock = await this.run(claim, resolved, startMs);
    if (lock !== undefined) return lock;
    throw new LockNotAcquiredError(claim.keys, this.deps.clock.monotonic() - startMs);
  }

  private async tryFor(
    keys: string | readonly string[],
    share: Share,
    options: LockOptions,
  ): Promise<Lock | null> {
    const resolved = resolveLockOptions({ wait: 0, ...options }, this.defaults);
    const claim = toClaim(keys, share, resolved.ttlMs);
    return (await this.run(claim, resolved, this.deps.clock.monotonic())) ?? null;
  }

  /** Undefined when others held the lock until `wait` was over. */
  private async run(
    claim: LockClaim,
    options: ResolvedLockOptions,
    startMs: number,
  ): Promise<HeldLock | undefined> {
    if (this.closed) throw new ClosedError('The lock manager is closed');
    const { observer, clock, inFlight } = this.deps;
    const acquisition = new LockAcquisition(this.deps, claim, options, startMs);
    this.acquisitions.set(claim.token, acquisition);
    inFlight.begin();
    try {
      const lock = await acquisition.run();
      observer.operation('acquire', lock ? 'success' : 'failed');
      if (lock) observer.waited((clock.monotonic() - startMs) / 1_000);
      return lock;
    } catch (error) {
      observer.operation('acquire', 'error');
      throw error;
    } finally {
      this.acquisitions.delete(claim.token);
      inFlight.end();
    }
  }

  private onHint(hint: LockHint): void {
    if (hint.token !== undefined) this.acquisitions.get(hint.token)?.waiter.hint(hint);
    else for (const acquisition of this.acquisitions.values()) acquisition.waiter.hint(hint);
  }
}

type Share = { readonly mode: LockMode; readonly permits: number };

const exclusive: Share = { mode: 'exclusive', permits: 0 };
const readShare: Share = { mode: 'shared', permits: 0 };

function toClaim(keys: string | readonly string[], { mode, permits }: Share, ttlMs: number): LockClaim {
  return { keys: toLockKeys(keys), token: ownerToken(), mode, permits, ttlMs };
}
