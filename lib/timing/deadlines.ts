import { type Clock, systemClock } from './clock.js';
import { type Deadline, type Deadlined, DeadlineQueue } from './deadline-queue.js';

/** So many timeouts get a shared timer; a bus uses one or a few. */
const SHARED_TIMEOUTS = 32;

/** Deadlines of any length; those of one length share a timer. The timers keep no process alive. */
export class Deadlines {
  private readonly queues = new Map<number, DeadlineQueue>();

  /** `shared`: lengths that get a shared timer; beyond these each deadline has one of its own. */
  constructor(
    private readonly clock: Clock = systemClock,
    private readonly shared = SHARED_TIMEOUTS,
  ) {}

  /** Calls `expired` once after `timeoutMs` unless the deadline is cancelled. */
  add(timeoutMs: number, expired: () => void): Deadline {
    return this.of(timeoutMs).add(expired);
  }

  /** The same without an object of its own: has `item` expire unless its `takeOff` is called before. */
  track(item: Deadlined, timeoutMs: number): void {
    this.of(timeoutMs).track(item);
  }

  /** The queue for deadlines of that length. */
  of(timeoutMs: number): DeadlineQueue {
    const present = this.queues.get(timeoutMs);
    if (present !== undefined) return present;
    const queue = new DeadlineQueue(timeoutMs, this.clock);
    if (this.queues.size < this.shared) this.queues.set(timeoutMs, queue);
    return queue;
  }

  /** Drops all without calling them. */
  clear(): void {
    for (const queue of this.queues.values()) queue.clear();
  }
}
