import { type Clock, type ClockTimer } from '../../timing/clock.js';
import type { ManualClock } from '../manual-clock.js';

/** The common clock as one instance has it: once the instance has crashed, none of its timers fires any more. */
export class InstanceClock implements Clock {
  private readonly timers = new Set<ClockTimer>();
  private stopped = false;

  constructor(private readonly clock: ManualClock) {}

  now(): number {
    return this.clock.now();
  }

  monotonic(): number {
    return this.clock.monotonic();
  }

  setTimeout(callback: () => void, delayMs: number): ClockTimer {
    if (this.stopped) return undefined;
    const timer = this.clock.setTimeout(() => {
      this.timers.delete(timer);
      callback();
    }, delayMs);
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(timer: ClockTimer | undefined): void {
    this.timers.delete(timer);
    this.clock.clearTimeout(timer);
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) this.clock.clearTimeout(timer);
    this.timers.clear();
  }
}
