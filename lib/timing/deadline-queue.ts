import { type Clock, type ClockTimer, systemClock, unref } from './clock.js';
import { type Linked, Ring, unlink } from './ring.js';

/** One pending deadline of {@link DeadlineQueue.add}. */
export interface Deadline {
  /** Ends it before it is due; does nothing afterwards. */
  cancel(): void;
}

/**
 * Something that must end in time, for {@link DeadlineQueue.track}. Extend it with what is to happen when it does not, and
 * call `takeOff` when it has ended.
 */
export abstract class Deadlined implements Linked {
  /** When its time is up, on the queue's monotonic clock; set by the queue. */
  dueMs = 0;
  /** Its neighbours in the queue; undefined while it is in none. The queue's own. */
  older: Linked | undefined = undefined;
  newer: Linked | undefined = undefined;

  /** Called once, when its time is up before `takeOff` was called. */
  abstract expired(): void;

  /** Takes it off its queue: it will not expire. Does nothing in no queue. */
  takeOff(): void {
    unlink(this);
  }
}

/**
 * Deadlines that are all `timeoutMs` away from the moment they are added. As they come due in the order they were
 * added, one timer serves them all, however many are pending. The timer keeps no process alive.
 */
export class DeadlineQueue {
  private readonly ring = new Ring<Deadlined>();
  private timer: ClockTimer | undefined;

  constructor(
    readonly timeoutMs: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Calls `expired` once, `timeoutMs` from now, unless the returned deadline is cancelled before. */
  add(expired: () => void): Deadline {
    const item = new Callback(expired);
    this.track(item);
    return item;
  }

  /**
   * The same without an object of its own, for hot paths: has `item`, which is in no queue, expire unless its `takeOff` is
   * called before. `nowMs` spares reading the clock again.
   */
  track(item: Deadlined, nowMs = this.clock.monotonic()): void {
    item.dueMs = nowMs + this.timeoutMs;
    this.ring.add(item);
    if (this.timer === undefined) this.arm(this.timeoutMs);
  }

  /** Drops all pending deadlines without calling them. */
  clear(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    for (let item = this.ring.first; item !== undefined; item = this.ring.first) item.takeOff();
  }

  private arm(delayMs: number): void {
    this.timer = unref(this.clock.setTimeout(() => this.sweep(), delayMs));
  }

  /** Runs what is due, oldest first, and waits for the next; with nothing pending the timer is let go. */
  private sweep(): void {
    this.timer = undefined;
    const now = this.clock.monotonic();
    for (let item = this.ring.first; item !== undefined; item = this.ring.first) {
      if (item.dueMs > now) {
        if (this.timer === undefined) this.arm(Math.ceil(item.dueMs - now));
        return;
      }
      item.takeOff();
      item.expired();
    }
  }
}

class Callback extends Deadlined implements Deadline {
  constructor(readonly expired: () => void) {
    super();
  }

  cancel(): void {
    this.takeOff();
  }
}
