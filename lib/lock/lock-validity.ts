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
  private sinceMs: number;
  private endsMs: number;
  private ended = false;

  constructor(
    private readonly clock: Clock,
    sinceMs: number,
    ttlMs: number,
  ) {
    this.sinceMs = sinceMs;
    this.endsMs = sinceMs + ttlMs - driftMs(ttlMs);
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

  /** A new ttl from `sinceMs`, when the extension was sent; of several the one sent last counts. False if it had ended before. */
  renew(sinceMs: number, ttlMs: number): boolean {
    if (this.remainingMs() === 0) return false;
    if (sinceMs >= this.sinceMs) {
      this.sinceMs = sinceMs;
      this.endsMs = sinceMs + ttlMs - driftMs(ttlMs);
    }
    return this.remainingMs() > 0;
  }
}
