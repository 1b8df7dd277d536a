import type { DiscoBusError } from '../errors/disco-bus-error.js';
import type { Delivery } from './delivery.js';

const settled = Promise.resolve();

/** A delivery at most once, for drivers that fan out: nothing keeps the frame, so settling it does nothing. */
export class FanOutDelivery implements Delivery {
  readonly attempt = 1;

  constructor(
    readonly topic: string,
    readonly frame: Uint8Array,
    /** Why the frame must not be read. */
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
