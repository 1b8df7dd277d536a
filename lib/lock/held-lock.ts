import type { LockClaim } from '../driver/lock-store.js';
import { LockLostError, LockUnavailableError } from '../errors/lock.errors.js';
import type { Duration } from '../timing/duration.js';
import type { Lock } from './lock.js';
import type { LockDeps } from './lock-deps.js';
import type { LockOperation } from './lock-observer.js';
import { type ResolvedLockOptions, toTtlMs } from './lock-options.js';
import { LockUpkeep } from './lock-upkeep.js';
import { LockValidity } from './lock-validity.js';
import type { GrantedClaim } from './lock-waiter.js';
import { asLockError } from './store-error.js';

/** A grant is passed on inside the process only while no more than this part of the next holder's ttl is gone. */
const mostUsed = 1 / 10;
/** From this part on it is made good. */
const littleUsed = 1 / 50;

const stillHeld = Promise.resolve(true);

/** A lock that is held, with what only this folder may know of it. */
export class HeldLock implements Lock {
  readonly keys: readonly string[];
  readonly fencingToken: bigint;
  /** The owner token, its ttl and what was claimed. */
  readonly claim: LockClaim;
  readonly validity: LockValidity;
  private readonly grantedMs: number;
  private readonly spareTokens: number;
  private extensions = 0;
  private upkeep: LockUpkeep | undefined;
  private releasing: Promise<void> | undefined;
  private lost = false;

  constructor(
    private readonly deps: LockDeps,
    private readonly options: ResolvedLockOptions,
    granted: GrantedClaim,
  ) {
    this.claim = granted.claim;
    this.keys = granted.claim.keys;
    this.fencingToken = granted.fencingToken;
    this.spareTokens = granted.spareTokens;
    this.grantedMs = deps.clock.monotonic();
    this.validity = new LockValidity(deps.clock, granted.sinceMs, granted.ttlMs);
    if (granted.used || granted.ttlMs < granted.claim.ttlMs) void this.lookAfter().extendNow();
    else if (options.autoExtend) this.lookAfter().extendInTime();
  }

  get signal(): AbortSignal {
    return this.lookAfter().signal;
  }

  remainingMs(): number {
    return this.releasing === undefined ? this.validity.remainingMs() : 0;
  }

  isValid(): boolean {
    return this.remainingMs() > 0;
  }

  assertValid(): void {
    if (!this.isValid()) throw new LockLostError(this.keys);
  }

  async extend(ttl: Duration = this.claim.ttlMs): Promise<void> {
    const ttlMs = toTtlMs(ttl);
    if (!this.isValid()) throw this.reportLoss('extend');
    const sinceMs = this.deps.clock.monotonic();
    this.validity.risk(sinceMs, ttlMs);
    this.upkeep?.moved();
    const held = await this.askToExtend(ttlMs);
    if (!held) this.abandon(new LockLostError(this.keys));
    if (!this.validity.renew(sinceMs, ttlMs) || this.releasing) throw this.reportLoss('extend');
    this.deps.observer.operation('extend', 'success');
    this.upkeep?.moved();
  }

  release(): Promise<void> {
    this.releasing ??= this.giveUp();
    return this.releasing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch((error: unknown) => this.leave(error));
  }

  /** See {@link giveBackLater}. */
  leave(error: unknown): void {
    if (!(error instanceof LockUnavailableError) || this.releasing) return;
    this.releasing = Promise.resolve();
    void this.deps.returns.giveBack(this.claim);
  }

  /** Ends validity and extension, and aborts the signal with `reason`. The store keeps the lock until its time is over. */
  abandon(reason: unknown): void {
    if (this.lost || this.releasing) return;
    this.lost = true;
    this.validity.end();
    this.deps.observer.lost(this);
    this.settle(reason);
  }

  private async giveUp(): Promise<void> {
    const { observer } = this.deps;
    const valid = this.validity.remainingMs() > 0;
    this.settle();
    // Also a lost lock is given up at the store: it may have outlived our own count.
    const held = await this.giveBack();
    if (!valid || !held) {
      if (!this.lost) observer.lost(this);
      this.lost = true;
      throw this.reportLoss('release');
    }
    observer.held((this.deps.clock.monotonic() - this.grantedMs) / 1_000);
    observer.operation('release', 'success');
  }

  /** After a failure `release` may be called again. */
  private async giveBack(): Promise<boolean> {
    this.deps.inFlight.begin();
    try {
      return await this.handOver();
    } catch (thrown) {
      const error = asLockError(thrown);
      if (error instanceof LockUnavailableError) this.releasing = undefined;
      this.deps.observer.operation('release', 'error');
      throw error;
    } finally {
      this.deps.inFlight.end();
    }
  }

  /**
   * Passes the lock on to the first waiter of this process, if there is one and other processes have had their turn:
   * without asking the store if most of its time is left, else in one step at the store. Otherwise gives it back to the
   * store. Resolves whether it was still held.
   */
  private handOver(): Promise<boolean> {
    const heldBackMs = this.heldBackMs();
    const queue = this.deps.queues.at(this.keys[0]);
    const next = queue?.vacate(this.validity);
    if (next === undefined || heldBackMs > 0) return this.returnToStore(heldBackMs, queue);
    const rest = next.takesOver ? this.restFor(next.claim) : undefined;
    if (rest === undefined) {
      return next.offer(this.claim.token).then((held) => held ?? this.returnToStore(0));
    }
    next.pass(rest);
    return stillHeld;
  }

  private returnToStore(heldBackMs: number, queue = this.deps.queues.at(this.keys[0])): Promise<boolean> {
    const { store, queues } = this.deps;
    const { claim } = this;
    const done = heldBackMs > 0 ? store.extend({ ...claim, ttlMs: heldBackMs }) : store.release(claim);
    // Woken now, the next waiter's claim travels with the release.
    queue?.wakeFirst();
    queues.tidy(this.keys[0]);
    return done;
  }

  /**
   * For another claim of this process to the same key: what is left of this grant, with the next fencing token. Undefined
   * when too little is left for its ttl, or when what the store has been told of the time is not known for sure.
   */
  private restFor(claim: LockClaim): GrantedClaim | undefined {
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
      used: this.deps.clock.monotonic() - sinceMs > claim.ttlMs * littleUsed,
    };
  }

  /** How much of `minHold` is left. */
  private heldBackMs(): number {
    const { minHoldMs } = this.options;
    if (minHoldMs === 0) return 0;
    return Math.max(0, Math.ceil(this.grantedMs + minHoldMs - this.deps.clock.monotonic()));
  }

  private async askToExtend(ttlMs: number): Promise<boolean> {
    this.extensions++;
    try {
      const held = await this.deps.store.extend({ ...this.claim, ttlMs });
      this.extensions--;
      return held;
    } catch (error) {
      // Unanswered, it counts as under way for ever: the store may still come to it.
      this.deps.observer.operation('extend', 'error');
      throw asLockError(error);
    }
  }

  private reportLoss(operation: LockOperation): LockLostError {
    this.deps.observer.operation(operation, 'failed');
    return new LockLostError(this.keys);
  }

  /** Its upkeep, which begins if need be. */
  private lookAfter(): LockUpkeep {
    if (this.upkeep === undefined) {
      this.upkeep = new LockUpkeep(this, this.claim.ttlMs, this.options, this.deps.clock);
      if (this.lost) this.upkeep.end(new LockLostError(this.keys));
      else if (this.releasing) this.upkeep.end();
      else this.deps.attended.add(this);
    }
    return this.upkeep;
  }

  private settle(reason?: unknown): void {
    if (this.upkeep === undefined) return;
    this.upkeep.end(reason);
    this.deps.attended.delete(this);
  }
}

/** The time to live that `lock` was asked for. Of a lock of another make: what is left of it. */
export function ttlOf(lock: Lock): number {
  return lock instanceof HeldLock ? lock.claim.ttlMs : lock.remainingMs();
}

/** The release of `lock` failed with `error`, and nobody will call it again: gives it back once the store can be asked. */
export function giveBackLater(lock: Lock, error: unknown): void {
  if (lock instanceof HeldLock) lock.leave(error);
}
