import type { LockClaim, LockHint, LockMode, LockStore } from '../driver/lock-store.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { LockNotAcquiredError } from '../errors/lock.errors.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import { Lock, type LockKeeper } from './lock.js';
import { type AcquisitionOutcome, LockAcquisition } from './lock-acquisition.js';
import { LockLane } from './lock-lane.js';
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
import { asLockError } from './store-error.js';

/** Who waits so long does not mind that a store which does not answer is found out by the store's own deadline. */
const patientWaitMs = 5_000;

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

/** Locks, semaphores and read-write locks over a {@link LockStore}. Usable alone: connect it, and close it in the end. */
export class LockManager {
  private readonly defaults: { readonly ttlMs: number; readonly waitMs: number };
  private readonly keeper: LockKeeper;
  private readonly lanes = new Map<string, LockLane>();
  private readonly acquisitions = new Map<string, LockAcquisition>();
  /** The locks with a signal or an extension to end when the manager closes. */
  private readonly attended = new Set<Lock>();
  private sweepAt = 1_024;
  private unsubscribe: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly store: LockStore,
    options: LockManagerOptions = {},
  ) {
    const { ttl = '5m', wait = '10s', clock = systemClock, observer = silentObserver } = options;
    this.defaults = { ttlMs: toTtlMs(ttl), waitMs: toMilliseconds(wait, 'wait') };
    this.keeper = {
      store,
      clock,
      observer,
      release: (lock) => this.giveBack(lock),
      attend: (lock) => void this.attended.add(lock),
      forget: (lock) => void this.attended.delete(lock),
    };
  }

  /** Connects the store. May be repeated after it rejected; does nothing while connected. */
  async connect(): Promise<void> {
    if (this.closed) throw new ClosedError('The lock manager is closed');
    await this.store.connect();
    this.unsubscribe ??= this.store.onReleased((hint) => this.onHint(hint));
  }

  /**
   * Ends all waiting with ClosedError and closes the store. Locks still held are extended no more and their signals
   * abort; they stay taken until their ttl is over, as their work may still be running. Idempotent.
   */
  async close(): Promise<void> {
    this.closed = true;
    const waiting = [...this.acquisitions.values()];
    for (const acquisition of waiting) acquisition.close();
    for (const lock of this.attended) lock.abandon(new ClosedError('The lock manager is closed'));
    await Promise.all(waiting.map((acquisition) => acquisition.ended));
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
    return this.waitFor(() => this.exclusive(keys), options);
  }

  /** The lock if it is free now, else null. Rejects as {@link acquire} does, but not with LockNotAcquiredError. */
  tryAcquire(keys: string | readonly string[], options: LockOptions = {}): Promise<Lock | null> {
    return this.tryFor(() => this.exclusive(keys), options);
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
    return new Semaphore(
      name,
      permits,
      this.scope(() => shared(name, permits)),
    );
  }

  /** A read-write lock. Costs nothing until used. */
  readWrite(name: string): ReadWriteLock {
    toLockKeys(name);
    const readers = this.scope(() => shared(name, 0));
    return new ReadWriteLock(
      name,
      readers,
      this.scope(() => this.exclusive(name)),
    );
  }

  private scope(claim: () => ClaimedKeys): ScopeClaims {
    return {
      acquire: (options = {}) => this.waitFor(claim, options),
      tryAcquire: (options = {}) => this.tryFor(claim, options),
    };
  }

  private exclusive(keys: string | readonly string[]): ClaimedKeys {
    return { keys: toLockKeys(keys), mode: 'exclusive', permits: 0 };
  }

  private async waitFor(claim: () => ClaimedKeys, options: LockOptions): Promise<Lock> {
    const keys = claim();
    const outcome = await this.run(keys, resolveLockOptions(options, this.defaults));
    if (outcome.lock) return outcome.lock;
    throw new LockNotAcquiredError(keys.keys, outcome.waitedMs);
  }

  private async tryFor(claim: () => ClaimedKeys, options: LockOptions): Promise<Lock | null> {
    const resolved = resolveLockOptions({ wait: 0, ...options }, this.defaults);
    return (await this.run(claim(), resolved)).lock ?? null;
  }

  private async run(claimed: ClaimedKeys, options: ResolvedLockOptions): Promise<AcquisitionOutcome> {
    if (this.closed) throw new ClosedError('The lock manager is closed');
    const claim: LockClaim = { ...claimed, token: ownerToken(), ttlMs: options.ttlMs };
    const { observer, clock } = this.keeper;
    const startMs = clock.monotonic();
    try {
      const lock = this.isSimple(claim, options) ? await this.atOnce(claim, options, startMs) : undefined;
      const outcome = lock ? { lock } : await this.wait(claim, options, startMs);
      if (!outcome.lock && outcome.error) throw outcome.error;
      observer.operation('acquire', outcome.lock ? 'success' : 'failed');
      if (outcome.lock) observer.waited((clock.monotonic() - startMs) / 1_000);
      return outcome;
    } catch (error) {
      observer.operation('acquire', 'error');
      throw error;
    } finally {
      this.tidy(claim.keys[0]);
    }
  }

  /** Nobody of this process is at the key, and nothing can end the waiting before the store's own deadline. */
  private isSimple({ keys, mode }: LockClaim, options: ResolvedLockOptions): boolean {
    const patient = options.waitMs >= patientWaitMs && options.signal === undefined;
    const plain = mode === 'exclusive' && keys.length === 1 && !options.fair && options.minReplicas === 0;
    return patient && plain && !this.lanes.has(keys[0]);
  }

  /** The common case without the machinery of waiting: the lock, if it is free and the store answers. */
  private async atOnce(
    claim: LockClaim,
    options: ResolvedLockOptions,
    sinceMs: number,
  ): Promise<Lock | undefined> {
    const lane = this.laneFor(claim, options);
    // Unanswered, the same claim is made again, so that a grant of which the answer was lost is found.
    const answer = await this.store.acquire(claim).catch((thrown: unknown) => {
      const error = asLockError(thrown);
      if (error.code !== 'DISCO_LOCK_UNAVAILABLE') throw error;
    });
    if (!answer?.granted || this.closed) return undefined;
    const granted = { claim, fencingToken: answer.fencingToken, sinceMs, ttlMs: claim.ttlMs };
    const lock = new Lock(this.keeper, options, granted);
    if (!lock.isValid()) return void lock.release().catch(() => undefined);
    lane?.hold(lock, false);
    return lock;
  }

  private async wait(claim: LockClaim, options: ResolvedLockOptions, startMs: number) {
    const lane = this.laneFor(claim, options);
    const acquisition = new LockAcquisition(this.keeper, claim, options, lane, startMs);
    this.acquisitions.set(claim.token, acquisition);
    try {
      if (this.closed) acquisition.close();
      return await acquisition.run();
    } finally {
      this.acquisitions.delete(claim.token);
    }
  }

  /** Claims of one key queue in the process, unless they are shared or want the store to keep the order. */
  private laneFor({ keys, mode }: LockClaim, { fair }: ResolvedLockOptions): LockLane | undefined {
    if (mode === 'shared' || keys.length > 1 || fair) return undefined;
    const known = this.lanes.get(keys[0]);
    if (known !== undefined) return known;
    this.sweep();
    const lane = new LockLane();
    this.lanes.set(keys[0], lane);
    return lane;
  }

  /** Locks that ran out without being released leave their lanes behind: cleared whenever the lanes have doubled. */
  private sweep(): void {
    if (this.lanes.size < this.sweepAt) return;
    for (const key of this.lanes.keys()) this.tidy(key);
    this.sweepAt = Math.max(1_024, this.lanes.size * 2);
  }

  private tidy(key: string): void {
    if (this.lanes.get(key)?.empty) this.lanes.delete(key);
  }

  private async giveBack(lock: Lock): Promise<boolean> {
    const lane = this.lanes.get(lock.keys[0]);
    const ttlMs = lock.heldBackMs;
    try {
      const passedOn = ttlMs > 0 ? undefined : await lane?.passOn(lock);
      if (passedOn !== undefined) return passedOn;
      const { store } = this;
      const done = ttlMs > 0 ? store.extend({ ...lock.claim, ttlMs }) : store.release(lock.claim);
      // Woken now, the next waiter's claim travels with the release.
      lane?.wakeFirst();
      return await done;
    } finally {
      this.tidy(lock.keys[0]);
    }
  }

  private onHint(hint: LockHint): void {
    if (hint.token !== undefined) this.acquisitions.get(hint.token)?.hint(hint);
    else for (const acquisition of this.acquisitions.values()) acquisition.hint(hint);
  }
}

type ClaimedKeys = { readonly keys: readonly string[]; readonly mode: LockMode; readonly permits: number };

function shared(name: string, permits: number): ClaimedKeys {
  return { keys: [name], mode: 'shared', permits };
}
