import { type DeadLetterReason } from '../../driver/delivery.js';

/** A frame that a group has given up. */
export interface DeadLetter {
  readonly frame: Uint8Array;
  readonly reason: DeadLetterReason;
  /** How many times the group had tried. */
  readonly attempts: number;
  /** Milliseconds since the epoch, on the broker's clock. */
  readonly failedAt: number;
  /** Where the frame, or the bundle it came in, was kept. */
  readonly position: string;
}
