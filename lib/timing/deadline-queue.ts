import { type Clock, type ClockTimer, systemClock } from './clock.js';

/** One pending deadline. */
export interface Deadline {
  /** Ends it before it is due; does nothing afterwards. */
  cancel(): void;
}

/**
 * Deadlines that are all `timeoutMs` away from the moment they are added. As they come due in the order they were
 * added, one timer serves them all, however many are pending. The timer keeps no process alive.
 */
export class DeadlineQueue {
  private readonly pending = new Set<Entry>();
  private timer: ClockTimer | undefined;

  constructor(
    readonly timeoutMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Calls `expired` once, `timeoutMs` from now, unless the returned deadline is cancelled before. */
  add(expired: () => void): Deadline {
    const entry = new Entry(this.pending, this.clock.monotonic() + this.timeoutMs, expired);
    this.pending.add(entry);
    if (this.timer === undefined) this.arm(this.timeoutMs);
    return entry;
  }

  /** Drops all pending deadlines without calling them. */
  clear(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.pending.clear();
  }

  private arm(delayMs: number): void {
    this.timer = this.clock.setTimeout(() => this.sweep(), delayMs);
    (this.timer as { unref?: () => void }).unref?.();
  }

  /** Runs what is due, oldest first, and waits for the next; with nothing pending the timer is let go. */
  private sweep(): void {
    this.timer = undefined;
    const now = this.clock.monotonic();
    for (const entry of this.pending) {
      if (entry.dueMs > now) {
        if (this.timer === undefined) this.arm(Math.ceil(entry.dueMs - now));
        return;
      }
      entry.cancel();
      entry.expired();
    }
  }
}

class Entry implements Deadline {
  constructor(
    private readonly owner: Set<Entry>,
    readonly dueMs: number,
    readonly expired: () => void,
  ) {}

  cancel(): void {
    this.owner.delete(this);
  }
}
