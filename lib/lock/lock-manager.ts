import type { LockClaim, LockHint, LockMode, LockStore } from '../driver/lock-store.js';
import { assertOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { guardedGuest } from '../errors/guest.js';
import { LockNotAcquiredError } from '../errors/lock.errors.js';
import { aClock, aDuration, having, type OptionKinds } from '../errors/option-kinds.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { PATIENT_WAIT_MS } from './answer-in-time.js';
import { ClaimReturns } from './claim-returns.js';
import { Lock, type LockKeeper } from './lock.js';
import { type AcquisitionOutcome, LockAcquisition } from './lock-acquisition.js';
import { LockLanes } from './lock-lanes.js';
import { type LockObserver, silentObserver } from './lock-observer.js';
import {
  type LockOptions,
  type ResolvedLockOptions,
  resolveLockOptions,
  toLockKeys,
  toTtlMs,
} from './lock-options.js';
import { holding, type LockedWork } from './lock-scope.js';
import { ownerToken } from './owner-token.js';
import { ReadWriteLock } from './read-write-lock.js';
import { type ScopeClaims, Semaphore } from './semaphore.js';
import { asLockError, isPassing } from './store-error.js';

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
  private readonly keeper: LockKeeper;
  private readonly lanes = new LockLanes();
  private readonly acquisitions = new Map<string, LockAcquisition>();
  /** The locks with a signal or an extension to end when the manager closes. */
  private readonly attended = new Set<Lock>();
  private unsubscribe: (() => void) | undefined;
  private closed = false;
  /** Acquisitions and releases that are on their way. */
  private underWay = 0;
  private readonly quiet: (() => void)[] = [];

  constructor(
    private readonly store: LockStore,
    options: LockManagerOptions = {},
  ) {
    assertOptions('LockManager', options, managerKinds);
    const { ttl = '5m', wait = '10s', clock = systemClock, observer = silentObserver } = options;
    this.defaults = { ttlMs: toTtlMs(ttl), waitMs: toMilliseconds(wait, 'wait') };
    this.keeper = {
      store,
      clock,
      observer: guardedGuest(observer, 'observer', ['operation', 'waited', 'held', 'lost']),
      returns: new ClaimReturns(store, clock),
      begin: () => void this.underWay++,
      end: () => this.end(),
      release: (lock) => this.giveBack(lock),
      attend: (lock) => void this.attended.add(lock),
      forget: (lock) => void this.attended.delete(lock),
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
    for (const lock of this.attended) lock.abandon(new ClosedError('The lock manager is closed'));
    await this.keeper.returns.close(this.whenQuiet());
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
    const readers = this.scope(name, { mode: 'shared', permits: 0 });
    return new ReadWriteLock(name, readers, this.scope(name, exclusive));
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
    const outcome = await this.run(claim, resolved);
    if (outcome.lock) return outcome.lock;
    throw new LockNotAcquiredError(claim.keys, outcome.waitedMs);
  }

  private async tryFor(
    keys: string | readonly string[],
    share: Share,
    options: LockOptions,
  ): Promise<Lock | null> {
    const resolved = resolveLockOptions({ wait: 0, ...options }, this.defaults);
    return (await this.run(toClaim(keys, share, resolved.ttlMs), resolved)).lock ?? null;
  }

  private async run(claim: LockClaim, options: ResolvedLockOptions): Promise<AcquisitionOutcome> {
    if (this.closed) throw new ClosedError('The lock manager is closed');
    const { observer, clock } = this.keeper;
    const startMs = clock.monotonic();
    this.underWay++;
    try {
      const first = this.isSimple(claim, options) ? await this.atOnce(claim, options, startMs) : undefined;
      const outcome =
        first instanceof Lock ? { lock: first } : await this.wait(claim, options, startMs, first?.before);
      if (!outcome.lock && outcome.error) throw outcome.error;
      observer.operation('acquire', outcome.lock ? 'success' : 'failed');
      if (outcome.lock) observer.waited((clock.monotonic() - startMs) / 1_000);
      else this.lanes.tidy(claim.keys[0]);
      return outcome;
    } catch (error) {
      observer.operation('acquire', 'error');
      this.lanes.tidy(claim.keys[0]);
      throw error;
    } finally {
      this.end();
    }
  }

  private end(): void {
    if (--this.underWay === 0) for (const told of this.quiet.splice(0)) told();
  }

  /** Resolves when no acquisition and no release is on its way. */
  private whenQuiet(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.quiet.push(resolve));
  }

  /** Nobody of this process is at the key, it was free the last time, and nothing can end the waiting before the store's own deadline. */
  private isSimple({ keys, mode }: LockClaim, options: ResolvedLockOptions): boolean {
    const patient = options.waitMs >= PATIENT_WAIT_MS && options.signal === undefined;
    const plain = mode === 'exclusive' && keys.length === 1 && !options.fair && options.minReplicas === 0;
    return patient && plain && this.lanes.at(keys[0]) === undefined && !this.lanes.isBusy(keys[0]);
  }

  /** The common case without the machinery of waiting: the lock, if it is free and the store answers; otherwise what must come before the next claim. */
  private async atOnce(
    claim: LockClaim,
    options: ResolvedLockOptions,
    sinceMs: number,
  ): Promise<Lock | { readonly before?: Promise<void> }> {
    const lane = this.lanes.for(claim, options);
    // Unanswered, the same claim is made again, so that a grant of which the answer was lost is found.
    const answer = await this.store.acquire(claim).catch((thrown: unknown) => {
      const error = asLockError(thrown);
      if (!isPassing(error)) throw error;
    });
    if (answer && !answer.granted) {
      this.lanes.found(claim.keys[0], false);
      return {};
    }
    if (answer === undefined || this.closed) return { before: Promise.resolve() };
    const { fencingToken, spareTokens = 0 } = answer;
    const granted = { claim, fencingToken, spareTokens, sinceMs, ttlMs: claim.ttlMs };
    const lock = new Lock(this.keeper, options, granted);
    if (!lock.isValid()) return { before: lock.release().catch(() => undefined) };
    lane?.hold(lock, false);
    return lock;
  }

  private async wait(
    claim: LockClaim,
    options: ResolvedLockOptions,
    startMs: number,
    before: Promise<void> | undefined,
  ) {
    const lane = this.lanes.for(claim, options);
    const acquisition = new LockAcquisition(this.keeper, claim, options, lane, startMs, before);
    this.acquisitions.set(claim.token, acquisition);
    try {
      if (this.closed) acquisition.close();
      const outcome = await acquisition.run();
      if (acquisition.freeAtOnce) this.lanes.found(claim.keys[0], true);
      return outcome;
    } finally {
      this.acquisitions.delete(claim.token);
    }
  }

  private giveBack(lock: Lock): Promise<boolean> {
    const lane = this.lanes.at(lock.keys[0]);
    const ttlMs = lock.heldBackMs;
    if (ttlMs > 0) lane?.dismiss(lock);
    const passedOn = lane?.passOn(lock);
    if (passedOn === undefined) return this.returnToStore(lock, ttlMs);
    return passedOn.then((held) => held ?? this.returnToStore(lock, 0));
  }

  private returnToStore({ keys, claim }: Lock, ttlMs: number): Promise<boolean> {
    const done = ttlMs > 0 ? this.store.extend({ ...claim, ttlMs }) : this.store.release(claim);
    // Woken now, the next waiter's claim travels with the release.
    this.lanes.at(keys[0])?.wakeFirst();
    this.lanes.tidy(keys[0]);
    return done;
  }

  private onHint(hint: LockHint): void {
    if (hint.token !== undefined) this.acquisitions.get(hint.token)?.hint(hint);
    else for (const acquisition of this.acquisitions.values()) acquisition.hint(hint);
  }
}

type Share = { readonly mode: LockMode; readonly permits: number };

const exclusive: Share = { mode: 'exclusive', permits: 0 };

function toClaim(keys: string | readonly string[], { mode, permits }: Share, ttlMs: number): LockClaim {
  return { keys: toLockKeys(keys), token: ownerToken(), mode, permits, ttlMs };
}
