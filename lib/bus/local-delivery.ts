import type { Delivery } from '../driver/delivery.js';
import type { DecodedFrame } from '../message/frame.js';
import type { Clock, ClockTimer } from '../timing/clock.js';

const settled = Promise.resolve();

/** The retries of a fan-out subscription: kept in this process, and lost with it. */
export class LocalRetries {
  private readonly timers = new Set<ClockTimer>();
  private closed = false;

  /** `onLost` is told of each that is given up. */
  constructor(
    readonly clock: Clock,
    private readonly again: (delivery: Delivery) => void,
    private readonly onLost: () => void,
  ) {}

  /** Retries that are waiting. */
  get size(): number {
    return this.timers.size;
  }

  /** `delivery` with retries: nobody else keeps it. Its bytes are the receiver's own by the driver's contract. */
  wrap(delivery: Delivery): Delivery {
    return new LocalDelivery(delivery, delivery.attempt, this, this.clock.monotonic());
  }

  schedule(delivery: Delivery, delayMs: number): void {
    if (this.closed) {
      this.onLost();
      return;
    }
    const timer = this.clock.setTimeout(() => {
      this.timers.delete(timer);
      this.again(delivery);
    }, delayMs);
    this.timers.add(timer);
  }

  /** Gives up what waits, and what would wait from now on. */
  close(): void {
    this.closed = true;
    for (const timer of this.timers) {
      this.clock.clearTimeout(timer);
      this.onLost();
    }
    this.timers.clear();
  }
}

class LocalDelivery implements Delivery {
  constructor(
    private readonly original: Delivery,
    readonly attempt: number,
    private readonly retries: LocalRetries,
    private readonly cameMs: number,
  ) {}

  get ageMs(): number {
    return this.retries.clock.monotonic() - this.cameMs;
  }

  get topic(): string {
    return this.original.topic;
  }

  get frame(): Uint8Array {
    return this.original.frame;
  }

  get decoded(): DecodedFrame | undefined {
    return this.original.decoded;
  }

  ack(): Promise<void> {
    return settled;
  }

  retry(delayMs: number): Promise<void> {
    this.retries.schedule(
      new LocalDelivery(this.original, this.attempt + 1, this.retries, this.cameMs),
      delayMs,
    );
    return settled;
  }

  deadLetter(): Promise<void> {
    return settled;
  }
}
