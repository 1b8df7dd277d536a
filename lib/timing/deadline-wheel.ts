import { type Clock, type ClockTimer, unref } from './clock.js';
import { type Linked, Ring, unlink } from './ring.js';

/** Something that a {@link DeadlineWheel} ends in time. */
export interface Wheeled extends Linked {
  /** Called once, when its time is up before it was taken off. */
  expired(): void;
}

/** How often the wheel turns while it holds anything. */
const TURN_MS = 50;

/**
 * Deadlines at any distance, for many at a time that mostly never come due: adding and deleting cost next to nothing, and
 * one timer serves all. They come up to 50 ms late, those more than 5 s away up to a second, those more than 5 minutes
 * away up to a minute. The timer keeps no process alive.
 */
export class DeadlineWheel<T extends Wheeled = Wheeled> {
  private readonly slots = new Map<number, Ring<T>>();
  private count = 0;
  private timer: ClockTimer | undefined;

  constructor(private readonly clock: Clock) {}

  /** How many are on it. */
  get size(): number {
    return this.count;
  }

  /** What is on it now, in no order. */
  items(): T[] {
    return [...this.slots.values()].flatMap((slot) => slot.items());
  }

  /** Has `item` expire once `delayMs` have passed, unless it is deleted before. */
  add(item: T, delayMs: number): void {
    const step = delayMs <= 5_000 ? TURN_MS : delayMs <= 300_000 ? 1_000 : 60_000;
    const dueMs = Math.ceil((this.clock.monotonic() + delayMs) / step) * step;
    let slot = this.slots.get(dueMs);
    if (!slot) {
      slot = new Ring();
      this.slots.set(dueMs, slot);
    }
    slot.add(item);
    this.count++;
    if (this.timer === undefined) this.arm();
  }

  /** Takes `item` off; does nothing for one that is not on it. */
  delete(item: T): void {
    if (unlink(item)) this.count--;
  }

  private arm(): void {
    this.timer = unref(this.clock.setTimeout(() => this.turn(), TURN_MS));
  }

  private turn(): void {
    this.timer = undefined;
    const nowMs = this.clock.monotonic();
    for (const [dueMs, slot] of this.slots) {
      if (dueMs > nowMs && slot.first) continue;
      this.slots.delete(dueMs);
      for (let item = slot.first; item; item = slot.first) {
        this.delete(item);
        item.expired();
      }
    }
    if (this.slots.size > 0 && this.timer === undefined) this.arm();
  }
}
