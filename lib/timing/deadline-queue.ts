import { type Clock, type ClockTimer, systemClock } from './clock.js';

/** One pending deadline of {@link DeadlineQueue.add}. */
export interface Deadline {
  /** Ends it before it is due; does nothing afterwards. */
  cancel(): void;
}

/** Something that must end in time, for {@link DeadlineQueue.track}. Extend it with what is to happen when it does not. */
export abstract class Deadlined {
  /** When its time is up, on the queue's monotonic clock; set by the queue. */
  dueMs = 0;

  /** Called once, when its time is up before it was taken off the queue. */
  abstract expired(): void;
}

/**
 * Deadlines that are all `timeoutMs` away from the moment they are added. As they come due in the order they were
 * added, one timer serves them all, however many are pending. The timer keeps no process alive.
 */
export class DeadlineQueue {
  private readonly pending = new Set<Deadlined>();
  private timer: ClockTimer | undefined;

  constructor(
    readonly timeoutMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Calls `expired` once, `timeoutMs` from now, unless the returned deadline is cancelled before. */
  add(expired: () => void): Deadline {
    const item = new Callback(this, expired);
    this.track(item);
    return item;
  }

  /**
   * The same without an object of its own, for hot paths: has `item` expire unless it is deleted before. `nowMs` spares
   * reading the clock again.
   */
  track(item: Deadlined, nowMs = this.clock.monotonic()): void {
    item.dueMs = nowMs + this.timeoutMs;
    this.pending.add(item);
    if (this.timer === undefined) this.arm(this.timeoutMs);
  }

  /** Takes `item` off; does nothing for one that has expired. */
  delete(item: Deadlined): void {
    this.pending.delete(item);
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
    for (const item of this.pending) {
      if (item.dueMs > now) {
        if (this.timer === undefined) this.arm(Math.ceil(item.dueMs - now));
        return;
      }
      this.pending.delete(item);
      item.expired();
    }
  }
}

class Callback extends Deadlined implements Deadline {
  constructor(
    private readonly queue: DeadlineQueue,
    readonly expired: () => void,
  ) {
    super();
  }

  cancel(): void {
    this.queue.delete(this);
  }
}
