import type { Clock } from './clock.js';

/** How long the distance between the two clocks counts as known. A jump of the wall clock is seen after this. */
const TRUSTED_MS = 1_000;

/** Wall-clock times for moments of the monotonic clock, so that a hot path reads one clock instead of two. */
export class WallTime {
  private offsetMs = 0;
  private measuredMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  /** The wall-clock time at a moment that has just been read from the monotonic clock. Whole milliseconds since the epoch. */
  at(monotonicMs: number): number {
    if (monotonicMs - this.measuredMs > TRUSTED_MS) {
      this.measuredMs = monotonicMs;
      this.offsetMs = this.clock.now() - this.clock.monotonic();
    }
    return Math.round(this.offsetMs + monotonicMs);
  }
}
