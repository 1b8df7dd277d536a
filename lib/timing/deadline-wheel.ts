import type { Clock, ClockTimer } from './clock.js';

/** Something that a {@link DeadlineWheel} ends in time. */
export interface Wheeled {
  /** Where the wheel keeps it; the wheel's own. */
  slot?: Set<Wheeled>;
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
export class DeadlineWheel {
  private readonly slots = new Map<number, Set<Wheeled>>();
  private timer: ClockTimer | undefined;

  constructor(private readonly clock: Clock) {}

  /** Has `item` expire once `delayMs` have passed, unless it is deleted before. */
  add(item: Wheeled, delayMs: number): void {
    const step = delayMs <= 5_000 ? TURN_MS : delayMs <= 300_000 ? 1_000 : 60_000;
    const dueMs = Math.ceil((this.clock.monotonic() + delayMs) / step) * step;
    let slot = this.slots.get(dueMs);
    if (!slot) {
      slot = new Set();
      this.slots.set(dueMs, slot);
    }
    slot.add(item);
    item.slot = slot;
    if (this.timer === undefined) this.arm();
  }

  /** Takes `item` off; does nothing for one that is not on it. */
  delete(item: Wheeled): void {
    item.slot?.delete(item);
    item.slot = undefined;
  }

  private arm(): void {
    this.timer = this.clock.setTimeout(() => this.turn(), TURN_MS);
    (this.timer as { unref?: () => void }).unref?.();
  }

  private turn(): void {
    this.timer = undefined;
    const nowMs = this.clock.monotonic();
    for (const [dueMs, slot] of this.slots) {
      if (dueMs > nowMs && slot.size > 0) continue;
      this.slots.delete(dueMs);
      for (const item of slot) {
        item.slot = undefined;
        item.expired();
      }
    }
    if (this.slots.size > 0 && this.timer === undefined) this.arm();
  }
}
