import type { DiscoBusError } from '../errors/disco-bus-error.js';
import type { DecodedFrame } from '../message/frame.js';

/** One frame out of a bundle, settled by itself while its bundle stays in flight. */
export interface DeliveryPart {
  /** Its place in the bundle, from 0. */
  readonly index: number;
  /** Its own encoded bytes: what comes back after `retry`, and what a dead letter holds. */
  readonly frame: Uint8Array;
}

/** Why a message is dead-lettered, and what is to be kept with it. Never holds a payload. */
export interface DeadLetterReason {
  /** A short fixed word: `'attempts' | 'unrecoverable' | 'terminated' | 'undecodable' | 'crashes'`. */
  readonly reason: string;
  /** The last error's name and message. */
  readonly error?: { readonly name: string; readonly message: string };
  /** How often the frame was handled within this delivery. @default 1 */
  readonly attempts?: number;
}

/**
 * One attempt to hand a frame to a subscriber. It is settled once, by the first of `ack`, `retry`, `release` and `deadLetter`;
 * later calls do nothing. With `part`, only that part of a bundle is settled; the frame itself is settled by a last
 * `ack()` once all its parts are. At most once there is nothing to settle and all three do nothing.
 *
 * The promises reject with a {@link DiscoBusError} only when the outcome could not be recorded; the frame then comes
 * back by itself. Many calls of one turn may travel together.
 */
export interface Delivery {
  readonly topic: string;
  readonly frame: Uint8Array;
  /**
   * The parts of `frame`, where bundling has read them already; a driver does not tell them.
   * @internal
   */
  readonly decoded?: DecodedFrame;
  /** Why the driver does not let it be read: `frame` need not hold more than the head. Undefined for what may be read. */
  readonly refusal?: DiscoBusError;
  /** 1 for the first attempt of this group. */
  readonly attempt: number;
  /** How many of the earlier attempts are no fault of the message: their process died or closed. @default 0 */
  readonly crashes?: number;
  /** How often it was released before; none of these is an attempt. @default 0 */
  readonly waits?: number;
  /** How often it was replayed as a dead letter. @default 0 */
  readonly replays?: number;
  /**
   * How long ago it was first stored, or became due, on the clock of the server that keeps it; undefined when it is not
   * kept, or when that cannot be told. Milliseconds.
   */
  readonly ageMs?: number;
  /** Where the driver keeps it, as a stream entry id; undefined when it keeps nothing. */
  readonly position?: string;
  /** Parts that an earlier attempt has already settled; they are not to be handled again. */
  readonly settledParts?: ReadonlySet<number>;
  /**
   * The handler is about to start, with `part` that of a part. A driver counts a crash of the process only against what had
   * begun, and an attempt that closing has cut off likewise; one that counts neither leaves it out.
   */
  begin?(part?: DeliveryPart): void;
  /** Handled: this group never sees it again. */
  ack(part?: DeliveryPart): Promise<void>;
  /** Comes back to this group, with `attempt + 1`, not before `delayMs` have passed. */
  retry(delayMs: number, part?: DeliveryPart): Promise<void>;
  /**
   * Comes back to this group not before `delayMs` have passed, as what it is: with the same `attempt`, and `waits + 1`. One that
   * cannot leaves it out, and is told `retry`.
   */
  release?(delayMs: number, part?: DeliveryPart): Promise<void>;
  /** Moves to this group's dead letters. */
  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void>;
}

/** Where a message of a bundle is kept: the bundle's place, `#`, and its number in it from 0. For a message that travelled alone: the place itself. */
export function partPosition(position: string, part: number | undefined): string {
  return part === undefined ? position : `${position}#${part}`;
}
