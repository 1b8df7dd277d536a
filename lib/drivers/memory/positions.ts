import type { Clock } from '../../timing/clock.js';

/** Positions like a stream's ids: the time and a count within it, always rising also when the wall clock goes back. */
export class Positions {
  private lastMs = 0;
  private lastIndex = 0;

  constructor(private readonly clock: Clock) {}

  next(): string {
    const nowMs = Math.trunc(this.clock.now());
    if (nowMs > this.lastMs) {
      this.lastMs = nowMs;
      this.lastIndex = 0;
    } else {
      this.lastIndex++;
    }
    return `${this.lastMs}-${this.lastIndex}`;
  }
}

/** Whether one position comes before another. */
export function isBefore(one: string, other: string): boolean {
  const [ms, index] = one.split('-').map(Number);
  const [otherMs, otherIndex = 0] = other.split('-').map(Number);
  return ms === otherMs ? index < otherIndex : ms < otherMs;
}
