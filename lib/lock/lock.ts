import type { LockClaim, LockStore } from '../driver/lock-store.js';
import { LockLostError, LockUnavailableError } from '../errors/lock.errors.js';
import type { Clock } from '../timing/clock.js';
import type { Duration } from '../timing/duration.js';
import type { ClaimReturns } from './claim-returns.js';
import type { LockObserver, LockOperation } from './lock-observer.js';
import { type ResolvedLockOptions, toTtlMs } from './lock-options.js';
import { LockUpkeep } from './lock-upkeep.js';
import { LockValidity } from './lock-validity.js';
import { asLockError } from './store-error.js';

/** What a {@link Lock} needs of its manager. */
export interface LockKeeper {
  readonly store: LockStore;
  readonly clock: Clock;
  readonly observer: LockObserver;
  /** For what nobody wants any more. */
  readonly returns: ClaimReturns;
  /** Something is asked of the store that the manager must not close it under. */
  begin(): void;
  /** It has come to its end. */
  end(): void;
  /** Gives the claim up, perhaps to a waiter of this process; true if it was still held. */
  release(lock: Lock): Promise<boolean>;
  /** The lock has a signal or an extension that must end with the manager. */
  attend(lock: Lock): void;
  /** The lock needs no more looking after. */
  forget(lock: Lock): void;
}

/** A claim that was granted, and since when at the latest. */
export interface GrantedClaim {
  readonly claim: LockClaim;
  readonly fencingToken: bigint;
  /** Monotonic time before the claim was sent. */
  readonly sinceMs: number;
  /** What was given; shorter than the claim's ttl after a hand-over, and then made good at once. */
  readonly ttlMs: number;
  /** Fencing tokens for those of this process to whom the lock is passed on. */
  readonly spareTokens: number;
  /** Part of the time was used by others of this process: to be made good as well. */
  readonly used?: boolean;
}

/** A grant is passed on inside the process only while no more than this part of the next holder's ttl is gone. */
const mostUsed = 1 / 10;
/** From this part on it is made good. */
const littleUsed = 1 / 50;

/**
 * A lock that is held. Validity is counted on this process's monotonic clock from before the claim was sent, minus an
 * allowance of 1 % + 2 ms: it ends before the store's. That protects against everything but a process that is stopped
 * between looking and acting: for that, hand `fencingToken` to the protected resource and let it refuse smaller ones.
 */
export class Lock implements AsyncDisposable {
  readonly keys: readonly string[];
  /** Larger than that of every earlier holder of any of the keys, also after the store lost its memory. */
  readonly fencingToken: bigint;
  /** The owner token, its ttl and what was claimed. */
  readonly claim: LockClaim;
  private readonly validity: LockValidity;
  private readonly grantedMs: number;
  private readonly spareTokens: number;
  private extensions = 0;
  private upkeep: LockUpkeep | undefined;
  private releasing: Promise<void> | undefined;
  private lost = false;

  constructor(
    private readonly keeper: LockKeeper,
    private readonly options: ResolvedLockOptions,
    granted: GrantedClaim,
  ) {
    this.claim = granted.claim;
    this.keys = granted.claim.keys;
    this.fencingToken = granted.fencingToken;
    this.spareTokens = granted.spareTokens;
    this.grantedMs = keeper.clock.monotonic();
    this.validity = new LockValidity(keeper.clock, granted.sinceMs, granted.ttlMs);
    if (granted.used || granted.ttlMs < granted.claim.ttlMs) void this.lookAfter().extendNow();
    else if (options.autoExtend) this.lookAfter().extendInTime();
  }

  /** Aborts shortly before validity ends, or when the lock is found lost. Never because of `release`. */
  get signal(): AbortSignal {
    return this.lookAfter().signal;
  }

  /** Milliseconds for which the lock may still be relied upon; 0 once it is released or lost. */
  remainingMs(): number {
    return this.releasing === undefined ? this.validity.remainingMs() : 0;
  }

  /** Whether the lock may be relied upon now. Once false, always false. Asks nobody. */
  isValid(): boolean {
    return this.remainingMs() > 0;
  }

  /** Throws {@link LockLostError} unless the lock is valid. */
  assertValid(): void {
    if (!this.isValid()) throw new LockLostError(this.keys);
  }

  /**
   * Sets the time to live to `ttl` from now. Rejects with {@link LockLostError} when the lock is no longer held, and with
   * {@link LockUnavailableError} when the store could not be asked: the lock then stays valid for the rest of its time,
   * or for `ttl` where that ends sooner.
   * @param ttl defaults to the lock's own
   */
  async extend(ttl: Duration = this.claim.ttlMs): Promise<void> {
    const ttlMs = toTtlMs(ttl);
    if (!this.isValid()) throw this.reportLoss('extend');
    const sinceMs = this.keeper.clock.monotonic();
    this.validity.risk(sinceMs, ttlMs);
    this.upkeep?.moved();
    const held = await this.askToExtend(ttlMs);
    if (!held) this.lose();
    if (!this.validity.renew(sinceMs, ttlMs) || this.releasing) throw this.reportLoss('extend');
    this.keeper.observer.operation('extend', 'success');
    this.upkeep?.moved();
  }

  /**
   * For another claim of this process to the same key: what is left of this grant, with the next fencing token. Undefined
   * when too little is left for its ttl, or when what the store has been told of the time is not known for sure.
   */
  restFor(claim: LockClaim): GrantedClaim | undefined {
    const { sinceMs, ttlMs } = this.validity;
    const longer = ttlMs > claim.ttlMs;
    if (this.spareTokens === 0 || this.extensions > 0 || longer || this.lost) return undefined;
    const usedMs = claim.ttlMs - this.validity.remainingMs();
    if (usedMs > claim.ttlMs * mostUsed) return undefined;
    return {
      claim: { ...claim, token: this.claim.token },
      fencingToken: this.fencingToken + 1n,
      spareTokens: this.spareTokens - 1,
      sinceMs,
      ttlMs,
      used: this.keeper.clock.monotonic() - sinceMs > claim.ttlMs * littleUsed,
    };
  }

  /**
   * Gives the lock up. Rejects with {@link LockLostError} if it was no longer valid, and with {@link LockUnavailableError}
   * when the store could not be asked: it may then be called again, and the ttl frees the lock in any case. Called again
   * after it resolved, it does nothing.
   */
  release(): Promise<void> {
    this.releasing ??= this.giveUp();
    return this.releasing;
  }

  /**
   * For `await using`: releases and never rejects, so that an error of the block is not hidden. Where the store could not be
   * asked, the lock is over here, and given back once the store answers again.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error: unknown) => this.leave(error));
  }

  /** The release failed with `error`, and nobody will call it again: gives the lock back once the store can be asked. */
  leave(error: unknown): void {
    if (!(error instanceof LockUnavailableError) || this.releasing) return;
    this.releasing = Promise.resolve();
    void this.keeper.returns.giveBack(this.claim);
  }

  /** Ends validity and extension, and aborts the signal with `reason`. The store keeps the lock until its time is over. */
  abandon(reason: unknown): void {
    if (this.lost || this.releasing) return;
    this.lost = true;
    this.validity.end();
    this.keeper.observer.lost();
    this.settle(reason);
  }

  /** How much of `minHold` is left. */
  get heldBackMs(): number {
    const { minHoldMs } = this.options;
    if (minHoldMs === 0) return 0;
    return Math.max(0, Math.ceil(this.grantedMs + minHoldMs - this.keeper.clock.monotonic()));
  }

  private async giveUp(): Promise<void> {
    const { observer } = this.keeper;
    const valid = this.validity.remainingMs() > 0;
    this.settle();
    // Also a lost lock is given up at the store: it may have outlived our own count.
    const held = await this.giveBack();
    if (!valid || !held) {
      if (!this.lost) observer.lost();
      this.lost = true;
      throw this.reportLoss('release');
    }
    observer.held((this.keeper.clock.monotonic() - this.grantedMs) / 1_000);
    observer.operation('release', 'success');
  }

  /** After a failure `release` may be called again. */
  private async giveBack(): Promise<boolean> {
    this.keeper.begin();
    try {
      return await this.keeper.release(this);
    } catch (thrown) {
      const error = asLockError(thrown);
      if (error instanceof LockUnavailableError) this.releasing = undefined;
      this.keeper.observer.operation('release', 'error');
      throw error;
    } finally {
      this.keeper.end();
    }
  }

  private async askToExtend(ttlMs: number): Promise<boolean> {
    this.extensions++;
    try {
      const held = await this.keeper.store.extend({ ...this.claim, ttlMs });
      this.extensions--;
      return held;
    } catch (error) {
      // Unanswered, it counts as under way for ever: the store may still come to it.
      this.keeper.observer.operation('extend', 'error');
      throw asLockError(error);
    }
  }

  private reportLoss(operation: LockOperation): LockLostError {
    this.keeper.observer.operation(operation, 'failed');
    return new LockLostError(this.keys);
  }

  private lose(): void {
    this.abandon(new LockLostError(this.keys));
  }

  /** Its upkeep, which begins if need be. */
  private lookAfter(): LockUpkeep {
    if (this.upkeep === undefined) {
      this.upkeep = new LockUpkeep(this, this.claim.ttlMs, this.options, this.keeper.clock);
      if (this.lost) this.upkeep.end(new LockLostError(this.keys));
      else if (this.releasing) this.upkeep.end();
      else this.keeper.attend(this);
    }
    return this.upkeep;
  }

  private settle(reason?: unknown): void {
    if (this.upkeep === undefined) return;
    this.upkeep.end(reason);
    this.keeper.forget(this);
  }
}
