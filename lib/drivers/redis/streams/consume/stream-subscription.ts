import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscription } from '../../../../driver/driver.js';
import { handOver } from '../../../../driver/guarded-delivery.js';
import type { Places } from './places.js';
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

/** One subscription to one topic, with the places that its subscriber has. */
export class StreamSubscription implements DriverSubscription {
  /** Handed over and not settled. */
  readonly deliveries = new Set<StreamDelivery>();
  private paused = false;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly owner: SubscriptionOwner,
    readonly places: Places,
    private readonly onDelivery: (delivery: Delivery) => void,
  ) {}

  /** Places for further deliveries. */
  get free(): number {
    return this.paused || this.closing !== undefined ? 0 : this.places.free;
  }

  hand(delivery: StreamDelivery): void {
    this.deliveries.add(delivery);
    this.places.take();
    delivery.holder = this;
    handOver(delivery, this.onDelivery, this.onFault);
  }

  /** The delivery is settled or given up; true if it was one of this subscription's. */
  ended(delivery: StreamDelivery): boolean {
    if (!this.deliveries.delete(delivery)) return false;
    this.places.release();
    return true;
  }

  private readonly onFault = (thrown: unknown): void => this.owner.fault(thrown);

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
