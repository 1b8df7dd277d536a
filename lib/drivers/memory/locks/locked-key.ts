import type { LockHolder, LockInspection } from '../../../driver/lock-inspection.js';
import type { LockClaim, LockHint, LockMode, LockState } from '../../../driver/lock-store.js';
import type { Clock } from '../../../timing/clock.js';

/** A claim in the queue of a key. */
export interface LockWaiter {
  readonly claim: LockClaim;
  /** Tells it; false when nobody listens any more. */
  readonly inbox: (hint: LockHint) => boolean;
  /** Its place is lost at this monotonic time, unless the claim is repeated. */
  readonly aliveUntilMs: number;
}

/** What a holder has. */
interface Holding {
  /** Monotonic. */
  endsMs: number;
  /** By the wall clock. */
  readonly sinceMs: number;
}

/** The holders of one key and the queue for it. Holders whose time is over are forgotten on sight. */
export class LockedKey {
  private readonly holders = new Map<string, Holding>();
  private readonly queue = new Map<string, LockWaiter>();
  private mode: LockMode = 'exclusive';
  private permits = 0;
  /** The last one granted. */
  fencingToken = 0n;

  constructor(private readonly clock: Clock) {}

  get waiting(): number {
    return this.queue.size;
  }

  /** Nobody holds it and nobody waits. */
  get unused(): boolean {
    this.forgetExpired();
    const now = this.clock.monotonic();
    return this.holders.size === 0 && [...this.queue.values()].every((waiter) => waiter.aliveUntilMs <= now);
  }

  holds(token: string): boolean {
    this.forgetExpired();
    return this.holders.has(token);
  }

  hold(claim: LockClaim, ttlMs: number, fencingToken = this.fencingToken): void {
    this.holders.delete(kept(claim.token));
    this.mode = claim.mode;
    this.permits = claim.permits;
    this.fencingToken = fencingToken;
    const endsMs = this.clock.monotonic() + ttlMs;
    const holding = this.holders.get(claim.token);
    if (holding) holding.endsMs = endsMs;
    else this.holders.set(claim.token, { endsMs, sinceMs: Math.trunc(this.clock.now()) });
  }

  /** Whether it is kept for `token`, which waits for other keys. */
  keeps(token: string): boolean {
    return this.holds(kept(token));
  }

  /** Keeps it for a claim that waits for other keys. */
  keep(claim: LockClaim, ttlMs: number): void {
    this.drop(claim.token);
    this.hold({ ...claim, token: kept(claim.token) }, ttlMs);
  }

  /** Ends what `token` has of it; false if it did not hold it. */
  drop(token: string): boolean {
    this.forgetExpired();
    this.holders.delete(kept(token));
    return this.holders.delete(token);
  }

  isFreeFor({ mode, permits }: LockClaim): boolean {
    this.forgetExpired();
    if (this.holders.size === 0) return true;
    const room = permits === 0 || this.holders.size < permits;
    return mode === 'shared' && this.mode === 'shared' && room;
  }

  /** Until enough holders run out for `claim`, if none of them extends or releases; 0 when only the queue is in the way. */
  freeInMs(claim: LockClaim): number {
    if (this.isFreeFor(claim)) return Number.POSITIVE_INFINITY;
    const ends = this.ends();
    const beside = claim.mode === 'shared' && this.mode === 'shared';
    return (beside ? Math.min(...ends) : Math.max(...ends)) - this.clock.monotonic();
  }

  /** Puts the claim at the end, or keeps its place and its inbox alive. */
  enqueue(claim: LockClaim, inbox: LockWaiter['inbox'], aliveUntilMs: number): void {
    this.queue.set(claim.token, { claim, inbox, aliveUntilMs });
  }

  /** False if it was not in the queue. */
  dequeue(token: string): boolean {
    return this.queue.delete(token);
  }

  /** First come first; safe while entries are taken out. */
  waiters(): Iterable<LockWaiter> {
    return this.queue.values();
  }

  state(): LockState {
    this.forgetExpired();
    const now = this.clock.monotonic();
    const waiting = [...this.queue.values()].filter((waiter) => waiter.aliveUntilMs > now).length;
    const { fencingToken } = this;
    if (this.holders.size === 0) return { holders: 0, remainingMs: 0, waiting, fencingToken };
    const remainingMs = Math.max(...this.ends()) - now;
    return { holders: this.holders.size, mode: this.mode, remainingMs, waiting, fencingToken };
  }

  /** With who holds it, as `ownerOf` knows them by their tokens. */
  inspect(key: string, ownerOf: (token: string) => LockHolder['owner']): LockInspection {
    const { holders: count, mode, ...state } = this.state();
    const sinceEpochMs = this.clock.now() - this.clock.monotonic();
    const holders = [...this.holders]
      .map(([name, { endsMs, sinceMs }]): LockHolder => {
        const reserved = name.startsWith('~');
        const owner = ownerOf(reserved ? name.slice(1) : name);
        const until = Math.round(sinceEpochMs + endsMs);
        return { ...(owner && { owner }), since: sinceMs, until, ...(reserved && { reserved }) };
      })
      .sort((one, other) => one.until - other.until);
    if (count === 0) return { key, holders, ...state };
    const { permits } = this;
    if (mode === 'exclusive') return { key, mode, holders, ...state };
    return permits > 0
      ? { key, mode: 'semaphore', permits, holders, ...state }
      : { key, mode: 'read', holders, ...state };
  }

  /** Ends what all have of it; returns the tokens of those who held it. */
  dropAll(): string[] {
    this.forgetExpired();
    const tokens = [...this.holders.keys()].filter((name) => !name.startsWith('~'));
    this.holders.clear();
    return tokens;
  }

  private ends(): number[] {
    return Array.from(this.holders.values(), ({ endsMs }) => endsMs);
  }

  private forgetExpired(): void {
    const now = this.clock.monotonic();
    for (const [token, { endsMs }] of this.holders) if (endsMs <= now) this.holders.delete(token);
  }
}

function kept(token: string): string {
  return `~${token}`;
}
