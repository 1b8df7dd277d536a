import type { Clock } from '../timing/clock.js';

/** What clocks of two machines may drift apart over a ttl, and the granularity of timers: 1 % + 2 ms. */
function driftMs(ttlMs: number): number {
  return ttlMs * 0.01 + 2;
}

/**
 * How long a lock may be relied upon, by this process's monotonic clock alone: a process that was stopped sees it at the
 * first look. Counted from before the claim was sent, so that a slow answer adds nothing. What has ended stays ended.
 */
export class LockValidity {
  private endsMs: number;
  private ended = false;

  constructor(
    private readonly clock: Clock,
    private since: number,
    private ttl: number,
  ) {
    this.endsMs = since + ttl - driftMs(ttl);
  }

  /** When the claim, or the extension that counts, was sent. */
  get sinceMs(): number {
    return this.since;
  }

  /** The time to live that the store was given then. */
  get ttlMs(): number {
    return this.ttl;
  }

  /** 0 once it has ended. */
  remainingMs(): number {
    if (this.ended) return 0;
    const left = this.endsMs - this.clock.monotonic();
    if (left <= 0) this.ended = true;
    return Math.max(0, left);
  }

  /** Ends it now. */
  end(): void {
    this.ended = true;
  }

  /** An extension to `ttlMs` is being sent: whether or not its answer comes, the store may end the lock that early from now on. */
  risk(sinceMs: number, ttlMs: number): void {
    this.endsMs = Math.min(this.endsMs, sinceMs + ttlMs - driftMs(ttlMs));
  }

  /** A new ttl from `sinceMs`, when the extension was sent; of several the one sent last counts. False if it had ended before. */
  renew(sinceMs: number, ttlMs: number): boolean {
    if (this.remainingMs() === 0) return false;
    if (sinceMs >= this.since) {
      this.since = sinceMs;
      this.ttl = ttlMs;
      this.endsMs = sinceMs + ttlMs - driftMs(ttlMs);
    }
    return this.remainingMs() > 0;
  }
}
