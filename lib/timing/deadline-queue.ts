import { type Clock, type ClockTimer, systemClock } from './clock.js';

/** One pending deadline of {@link DeadlineQueue.add}. */
export interface Deadline {
  /** Ends it before it is due; does nothing afterwards. */
  cancel(): void;
}

/** A place in the ring of a queue. */
interface Link {
  previous: Link | undefined;
  next: Link | undefined;
}

/**
 * Something that must end in time, for {@link DeadlineQueue.track}. Extend it with what is to happen when it does not, and
 * call `takeOff` when it has ended.
 */
export abstract class Deadlined implements Link {
  /** When its time is up, on the queue's monotonic clock; set by the queue. */
  dueMs = 0;
  /** Its neighbours in the queue; undefined while it is in none. The queue's own. */
  previous: Link | undefined = undefined;
  next: Link | undefined = undefined;

  /** Called once, when its time is up before `takeOff` was called. */
  abstract expired(): void;

  /** Takes it off its queue: it will not expire. Does nothing in no queue. */
  takeOff(): void {
    const { previous, next } = this;
    if (previous === undefined || next === undefined) return;
    previous.next = next;
    next.previous = previous;
    this.previous = undefined;
    this.next = undefined;
  }
}

/**
 * Deadlines that are all `timeoutMs` away from the moment they are added. As they come due in the order they were
 * added, one timer serves them all, however many are pending. The timer keeps no process alive.
 */
export class DeadlineQueue {
  /** A ring, oldest first, through the items themselves: adding and taking off cost a few assignments. */
  private readonly ring: Link = { previous: undefined, next: undefined };
  private timer: ClockTimer | undefined;

  constructor(
    readonly timeoutMs: number,
    private readonly clock: Clock = systemClock,
  ) {
    this.ring.previous = this.ring;
    this.ring.next = this.ring;
  }

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
    const last = this.ring.previous as Link;
    item.previous = last;
    item.next = this.ring;
    last.next = item;
    this.ring.previous = item;
    if (this.timer === undefined) this.arm(this.timeoutMs);
  }

  /** Drops all pending deadlines without calling them. */
  clear(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    for (let item = this.oldest(); item !== undefined; item = this.oldest()) item.takeOff();
  }

  private oldest(): Deadlined | undefined {
    return this.ring.next === this.ring ? undefined : (this.ring.next as Deadlined);
  }

  private arm(delayMs: number): void {
    this.timer = this.clock.setTimeout(() => this.sweep(), delayMs);
    (this.timer as { unref?: () => void }).unref?.();
  }

  /** Runs what is due, oldest first, and waits for the next; with nothing pending the timer is let go. */
  private sweep(): void {
    this.timer = undefined;
    const now = this.clock.monotonic();
    for (let item = this.oldest(); item !== undefined; item = this.oldest()) {
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
