import { type Clock, systemClock } from './clock.js';
import { type Deadline, DeadlineQueue } from './deadline-queue.js';

/** So many timeouts get a shared timer; a bus uses one or a few. */
const SHARED_TIMEOUTS = 32;

/** Deadlines of any length; those of one length share a timer. The timers keep no process alive. */
export class Deadlines {
  private readonly queues = new Map<number, DeadlineQueue>();

  constructor(private readonly clock: Clock = systemClock) {}

  /** Calls `expired` once after `timeoutMs` unless the deadline is cancelled. */
  add(timeoutMs: number, expired: () => void): Deadline {
    return (this.queues.get(timeoutMs) ?? this.open(timeoutMs)).add(expired);
  }

  /** Drops all without calling them. */
  clear(): void {
    for (const queue of this.queues.values()) queue.clear();
  }

  private open(timeoutMs: number): DeadlineQueue {
    const queue = new DeadlineQueue(timeoutMs, this.clock);
    if (this.queues.size < SHARED_TIMEOUTS) this.queues.set(timeoutMs, queue);
    return queue;
  }
}
