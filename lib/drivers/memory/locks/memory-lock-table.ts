import {
  keyMatcher,
  type LockInspection,
  type LockOwner,
  OWNER_TAG_DIGITS,
} from '../../../driver/lock-inspection.js';
import type {
  LockAcquireOptions,
  LockAnswer,
  LockClaim,
  LockHint,
  LockState,
} from '../../../driver/lock-store.js';
import { type Clock, systemClock } from '../../../timing/clock.js';
import { LockedKey, type LockWaiter } from './locked-key.js';

/** How a {@link MemoryLockTable} treats its queues. */
export interface MemoryLockTableOptions {
  /** @default the computer's clock */
  clock?: Clock;
  /** A queued claim is to be repeated at least this often. @default 1000 */
  pollMs?: number;
  /** A queued claim that was not repeated for so long loses its place. @default 5000 */
  waiterTtlMs?: number;
  /** A lock that is handed over is given for no longer than this until its new holder extends it. @default 10000 */
  handOffMs?: number;
}

/** So many numbers after a fencing token are its holder's, who may pass the lock on with them. */
const spareTokens = 16;

/** Where the hints for a store's queued claims go; false when nobody listens any more. */
export type LockInbox = (hint: LockHint) => boolean;

/** The locks of one embedded "server": the stores that share a table exclude each other, like processes that share a Redis. */
export class MemoryLockTable {
  private readonly keys = new Map<string, LockedKey>();
  private readonly clock: Clock;
  private readonly pollMs: number;
  private readonly waiterTtlMs: number;
  private readonly handOffMs: number;
  /** One counter for all keys: larger than every token granted before, so for each key too, and no key leaves a trace. */
  private lastFencingToken = 0n;
  /** The stores that use the table: who made a claim, and where its holder is told of its loss. */
  private readonly stores = new Map<string, { readonly owner: LockOwner; readonly inbox: LockInbox }>();

  constructor(options: MemoryLockTableOptions = {}) {
    const { clock = systemClock, pollMs = 1_000, waiterTtlMs = 5_000, handOffMs = 10_000 } = options;
    this.clock = clock;
    this.pollMs = pollMs;
    this.waiterTtlMs = waiterTtlMs;
    this.handOffMs = handOffMs;
  }

  /** How many keys are held or waited for: 0 when everything was released. */
  get size(): number {
    for (const key of this.keys.keys()) this.forgetIfUnused(key);
    return this.keys.size;
  }

  /** See {@link LockStore.acquire}. */
  acquire(claim: LockClaim, options: LockAcquireOptions, inbox: LockInbox): LockAnswer {
    const floor = options.minFencingToken ?? 0n;
    if (options.succeeds !== undefined) {
      const heir = this.open(claim.keys[0]);
      if (heir.drop(options.succeeds)) return { ...this.grant(claim, floor), succeeded: true };
    }
    const succeeded = options.succeeds === undefined ? {} : { succeeded: false };
    const blocking = claim.keys.find((key) => !this.isFor(key, claim, options.wait ? inbox : undefined));
    if (blocking === undefined) return { ...this.grant(claim, floor), ...succeeded };
    const retryAfterMs = Math.min(this.pollMs, this.open(blocking).freeInMs(claim));
    this.standAside(claim, blocking, options.wait === true);
    if (options.wait) this.open(blocking).enqueue(claim, inbox, this.clock.monotonic() + this.waiterTtlMs);
    for (const key of claim.keys) this.forgetIfUnused(key);
    return { granted: false, retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)), ...succeeded };
  }

  /** See {@link LockStore.extend}. */
  extend(claim: LockClaim): boolean {
    const held = claim.keys.every((key) => this.keys.get(key)?.holds(claim.token));
    if (held) for (const key of claim.keys) this.open(key).hold(claim, claim.ttlMs);
    return held;
  }

  /** See {@link LockStore.release}. */
  release(claim: LockClaim): boolean {
    let held = 0;
    for (const key of claim.keys) {
      const locked = this.keys.get(key);
      if (locked === undefined) continue;
      if (locked.drop(claim.token)) held++;
      locked.dequeue(claim.token);
      this.serve(locked);
      this.forgetIfUnused(key);
    }
    return held === claim.keys.length;
  }

  /** See {@link LockStore.peek}. */
  peek(key: string): LockState {
    return this.keys.get(key)?.state() ?? { holders: 0, remainingMs: 0, waiting: 0, fencingToken: 0n };
  }

  /** Claims whose tokens begin with `tag` are `owner`'s, who hears of their loss by `inbox`; returns what ends that. */
  introduce(tag: string, owner: LockOwner, inbox: LockInbox): () => void {
    this.stores.set(tag, { owner, inbox });
    return () => void this.stores.delete(tag);
  }

  /** See {@link LockInspectionProvider.inspect}. */
  inspect(key: string): LockInspection {
    const locked = this.keys.get(key) ?? new LockedKey(this.clock);
    return locked.inspect(key, (token) => this.storeOf(token)?.owner);
  }

  /** All that are held, of those that `match` means. */
  held(match: string | undefined): LockInspection[] {
    const matches = keyMatcher(match);
    return [...this.keys.keys()]
      .filter(matches)
      .map((key) => this.inspect(key))
      .filter(({ holders }) => holders.length > 0);
  }

  /** See {@link ForcedReleaseProvider.forceRelease}. */
  forceRelease(key: string): number {
    const locked = this.keys.get(key);
    if (locked === undefined) return 0;
    const lost = locked.dropAll();
    for (const token of lost) this.storeOf(token)?.inbox({ token, lost: true });
    this.serve(locked);
    this.forgetIfUnused(key);
    return lost.length;
  }

  private storeOf(token: string) {
    return this.stores.get(token.slice(0, OWNER_TAG_DIGITS));
  }

  /** Whether `claim` may take `key` now. Those queued before it are served first; with `inbox` it joins them. */
  private isFor(key: string, claim: LockClaim, inbox: LockInbox | undefined): boolean {
    const locked = this.open(key);
    if (locked.holds(claim.token) || locked.keeps(claim.token)) return true;
    if (locked.waiting === 0) return locked.isFreeFor(claim);
    if (inbox) locked.enqueue(claim, inbox, this.clock.monotonic() + this.waiterTtlMs);
    return this.serve(locked, claim.token) || (locked.waiting === 0 && locked.isFreeFor(claim));
  }

  /** Hands the key to as many of its queue as may have it, in order. True when the turn came to `self`, who takes it himself. */
  private serve(locked: LockedKey, self?: string): boolean {
    for (const waiter of locked.waiters()) {
      const { claim } = waiter;
      if (waiter.aliveUntilMs > this.clock.monotonic()) {
        if (!locked.isFreeFor(claim)) return false;
        if (claim.token === self) return true;
        this.handOver(locked, waiter);
      }
      locked.dequeue(claim.token);
    }
    return false;
  }

  /** One of several keys is kept for the claim, until it has them all. */
  private handOver(locked: LockedKey, { claim, inbox }: LockWaiter): void {
    const { token } = claim;
    if (claim.keys.length > 1) {
      if (inbox({ token })) locked.keep(claim, this.waiterTtlMs);
      return;
    }
    const ttlMs = Math.min(claim.ttlMs, this.handOffMs);
    const fencingToken = this.nextFencingToken(0n);
    if (inbox({ token, grant: { fencingToken, spareTokens, ttlMs, ageMs: 0 } }))
      locked.hold(claim, ttlMs, fencingToken);
  }

  private grant(claim: LockClaim, floor: bigint): LockAnswer {
    const fencingToken = this.fencingTokenFor(claim, floor);
    for (const key of claim.keys) {
      const locked = this.open(key);
      locked.dequeue(claim.token);
      locked.hold(claim, claim.ttlMs, fencingToken);
      if (claim.mode === 'shared') this.serve(locked);
    }
    return { granted: true, fencingToken, spareTokens };
  }

  /** The claim's own one, if it holds everything already and exclusively; otherwise a new one. */
  private fencingTokenFor(claim: LockClaim, floor: bigint): bigint {
    const known = this.open(claim.keys[0]).fencingToken;
    const repeated =
      claim.mode === 'exclusive' &&
      known >= floor &&
      claim.keys.every((key) => this.open(key).holds(claim.token) && this.open(key).fencingToken === known);
    return repeated ? known : this.nextFencingToken(floor);
  }

  private nextFencingToken(floor: bigint): bigint {
    const micros = BigInt(Math.floor(this.clock.now())) * 1_000n;
    const next = this.lastFencingToken + BigInt(spareTokens) + 1n;
    const atLeast = micros > floor ? micros : floor;
    this.lastFencingToken = next > atLeast ? next : atLeast;
    return this.lastFencingToken;
  }

  /**
   * A claim of several keys that is refused at one: if it waits, it keeps those before, which cannot end in a deadlock as
   * all claims name their keys in one order; what it has of the others it gives back.
   */
  private standAside(claim: LockClaim, blocking: string, waits: boolean): void {
    for (const key of claim.keys) {
      if (key === blocking) continue;
      const locked = this.open(key);
      locked.dequeue(claim.token);
      if (waits && key < blocking) locked.keep(claim, this.waiterTtlMs);
      else if (locked.keeps(claim.token)) {
        locked.drop(claim.token);
        this.serve(locked);
      }
    }
  }

  private open(key: string): LockedKey {
    const known = this.keys.get(key);
    if (known !== undefined) return known;
    const locked = new LockedKey(this.clock);
    this.keys.set(key, locked);
    return locked;
  }

  private forgetIfUnused(key: string): void {
    if (this.keys.get(key)?.unused) this.keys.delete(key);
  }
}
