import { type Clock, type ClockTimer } from '../timing/clock.js';
import { turnBudget } from '../timing/turn-budget.js';

interface ManualTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

// Taken once, so that fake timers of a test runner do not stop this clock too.
const { setImmediate } = globalThis;

/**
 * A clock that moves only when it is told to. Timers run in the order in which they are due, those due at the same
 * moment in the order in which they were set; between two of them promises get to settle.
 */
export class ManualClock implements Clock {
  private elapsedMs = 0;
  private readonly timers = new Set<ManualTimer>();

  /** `startMs`: the wall-clock time it begins at, milliseconds since the epoch. @default 2026-01-01T00:00:00Z */
  constructor(private readonly startMs = Date.UTC(2026, 0, 1)) {}

  /** How many timers wait. */
  get pending(): number {
    return this.timers.size;
  }

  now(): number {
    return this.startMs + this.elapsedMs;
  }

  monotonic(): number {
    return this.elapsedMs;
  }

  setTimeout(callback: () => void, delayMs: number): ClockTimer {
    const timer: ManualTimer = { dueMs: this.elapsedMs + Math.max(0, delayMs), callback };
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(timer: ClockTimer | undefined): void {
    this.timers.delete(timer as ManualTimer);
  }

  /**
   * Moves on by `ms` and resolves when all that came due on the way, and what followed from it, has run. A callback
   * that throws rejects it.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.elapsedMs + ms;
    await settle();
    for (let timer = this.next(endMs); timer !== undefined; timer = this.next(endMs)) {
      this.timers.delete(timer);
      this.elapsedMs = Math.max(this.elapsedMs, timer.dueMs);
      timer.callback();
      await settle();
    }
    this.elapsedMs = Math.max(this.elapsedMs, endMs);
  }

  private next(endMs: number): ManualTimer | undefined {
    let next: ManualTimer | undefined;
    for (const timer of this.timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}

/** Two turns of the event loop, and those that work was put off to: it has run, and what followed in microtasks. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2 || turnBudget.spent; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
