import type { Delivery } from '../../../driver/delivery.js';
import type { DiscoBusError } from '../../../errors/disco-bus-error.js';

const settled = Promise.resolve();

/** A delivery at most once: nothing is kept, so there is nothing to settle. */
export class FanOutDelivery implements Delivery {
  readonly attempt = 1;

  constructor(
    readonly topic: string,
    readonly frame: Uint8Array,
    readonly refusal?: DiscoBusError,
  ) {}

  ack(): Promise<void> {
    return settled;
  }

  retry(): Promise<void> {
    return settled;
  }

  deadLetter(): Promise<void> {
    return settled;
  }
}
