import type { Headers } from './headers.js';

/** One message as a handler sees it. Read only: other handlers of this process may be given the same object. */
export interface Message<T = unknown> {
  /** Unique; chosen by the publisher, the same on every redelivery. At most 200 characters. */
  readonly id: string;
  /** The topic it was published to; never a pattern. */
  readonly topic: string;
  readonly headers: Headers;
  readonly payload: T;
  /** When it was published by the publisher's clock, milliseconds since the epoch. */
  readonly timestamp: number;
}
