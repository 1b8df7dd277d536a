import { type Clock, systemClock } from './clock.js';
import { type Deadline, DeadlineQueue } from './deadline-queue.js';

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

  /** The queue for deadlines of that length. */
  of(timeoutMs: number): DeadlineQueue {
    return this.queues.get(timeoutMs) ?? this.open(timeoutMs);
  }

  /** Drops all without calling them. */
  clear(): void {
    for (const queue of this.queues.values()) queue.clear();
  }

  private open(timeoutMs: number): DeadlineQueue {
    const queue = new DeadlineQueue(timeoutMs, this.clock);
    if (this.queues.size < this.shared) this.queues.set(timeoutMs, queue);
    return queue;
  }
}
