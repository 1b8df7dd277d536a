import { inNobodysContext } from '../driver/async-context.js';
import type { Delivery } from '../driver/delivery.js';
import type { DriverSubscription } from '../driver/driver.js';
import { handOver } from '../driver/guarded-delivery.js';
import { TurnPause, turnBudget } from '../timing/turn-budget.js';
import { storedDeliveries } from './bundle-delivery.js';

/**
 * Keeps the promise of `maxInFlight` for bundles: a driver counts one for each, so what a bundle holds beyond the free
 * places waits here, and so does what is more than one turn of the event loop may take. What waits when the subscription
 * closes stays unsettled, and so goes back to its group.
 */
export class DeliveryGate {
  private readonly waiting: Delivery[] = [];
  private inFlight = 0;
  private open = true;
  private readonly pause = new TurnPause(() => this.handOver());

  constructor(
    private readonly maxInFlight: number,
    private readonly onDelivery: (delivery: Delivery) => void,
    /** It has thrown. */
    private readonly onFault: (thrown: unknown) => void,
  ) {}

  /** What the driver calls. */
  readonly receive = (delivery: Delivery): void => {
    for (const each of storedDeliveries(delivery, this.onSettled)) this.waiting.push(each);
    this.handOver();
  };

  /** `inner` with the gate in step: what waits here is not handed over while paused, or after close. */
  subscription(inner: DriverSubscription): DriverSubscription {
    return {
      pause: () => {
        this.open = false;
        inner.pause();
      },
      resume: () => {
        this.open = true;
        inner.resume();
        this.handOver();
      },
      close: () => {
        this.waiting.length = 0;
        this.open = false;
        return inner.close();
      },
    };
  }

  private readonly onSettled = (): void => {
    this.inFlight--;
    this.handOver();
  };

  private handOver(): void {
    if (this.mayHandOver()) inNobodysContext(this.handOverAll);
  }

  private readonly handOverAll = (): void => {
    while (this.mayHandOver() && !this.pause.begins()) {
      this.inFlight++;
      const delivery = this.waiting.shift() as Delivery;
      turnBudget.spendOn(() => handOver(delivery, this.onDelivery, this.onFault));
    }
  };

  private mayHandOver(): boolean {
    return this.open && this.inFlight < this.maxInFlight && this.waiting.length > 0;
  }
}
