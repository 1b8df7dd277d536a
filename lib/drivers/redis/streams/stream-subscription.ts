import type { Delivery } from '../../../driver/delivery.js';
import type { DriverSubscription } from '../../../driver/driver.js';
import type { StreamDelivery } from './stream-delivery.js';

/** The consumer that a subscription belongs to. */
export interface SubscriptionOwner {
  /** There may be a place now. */
  wake(): void;
  /** Takes it off; resolves when nothing is read for it any more. */
  leave(subscription: StreamSubscription): Promise<void>;
  /** The subscriber threw. */
  fault(thrown: unknown): void;
}

/** One subscription: a number of places for unsettled deliveries. */
export class StreamSubscription implements DriverSubscription {
  /** Handed over and not settled. */
  readonly deliveries = new Set<StreamDelivery>();
  private paused = false;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly owner: SubscriptionOwner,
    readonly maxInFlight: number,
    private readonly onDelivery: (delivery: Delivery) => void,
  ) {}

  /** Places for further deliveries. */
  get free(): number {
    return this.paused || this.closing !== undefined
      ? 0
      : Math.max(0, this.maxInFlight - this.deliveries.size);
  }

  hand(delivery: StreamDelivery): void {
    this.deliveries.add(delivery);
    delivery.holder = this;
    try {
      this.onDelivery(delivery);
    } catch (thrown) {
      this.owner.fault(thrown);
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.owner.wake();
  }

  close(): Promise<void> {
    this.closing ??= this.owner.leave(this);
    return this.closing;
  }
}
