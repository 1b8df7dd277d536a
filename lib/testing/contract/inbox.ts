import { type Delivery } from '../../driver/delivery.js';
import { type DriverSubscription } from '../../driver/driver.js';

/** What an inbox does with the delivery it was just handed. `count` is 1 for the first. */
export type InboxHandler = (delivery: Delivery, count: number) => unknown;

/** Acknowledges every delivery. */
export const acknowledge: InboxHandler = (delivery) => delivery.ack();

/** Leaves every delivery as it is. */
export const leaveUnsettled: InboxHandler = () => undefined;

/** Collects the deliveries of one subscription. */
export class Inbox {
  readonly deliveries: Delivery[] = [];
  /** The frames as they were on arrival, in UTF-8. */
  readonly texts: string[] = [];
  subscription!: DriverSubscription;

  constructor(
    private readonly handler: InboxHandler,
    private readonly onArrival: () => void,
  ) {}

  get size(): number {
    return this.deliveries.length;
  }

  /** Give this to `subscribe`. */
  readonly receive = (delivery: Delivery): void => {
    this.deliveries.push(delivery);
    this.texts.push(Buffer.from(delivery.frame).toString());
    this.onArrival();
    const outcome = this.handler(delivery, this.size);
    // A settlement that fails shows in what is delivered next; here it must only not go unhandled.
    if (outcome instanceof Promise) outcome.catch(() => undefined);
  };

  close(): Promise<void> {
    return this.subscription.close();
  }
}
