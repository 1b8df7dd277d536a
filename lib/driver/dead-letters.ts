import { ConfigurationError } from '../errors/bus.errors.js';
import type { DeadLetterReason } from './delivery.js';
import type { DiscoDriver } from './driver.js';

/** A frame that a group has given up, as the driver keeps it. */
export interface DeadLetter extends DeadLetterReason {
  /** Names it among the dead letters of its group; later ones sort later. */
  readonly position: string;
  /** The original bytes. */
  readonly frame: Uint8Array;
  /** How many messages the bytes hold. @default 1 */
  readonly messages?: number;
  /** Where the original was kept. */
  readonly originalPosition?: string;
  /** Attempts that were made. */
  readonly attempts: number;
  /** When it was given up, milliseconds since the epoch. */
  readonly failedAt: number;
  /** How often it has been replayed before. */
  readonly replays: number;
}

/** Which dead letters are wanted. */
export interface DeadLetterRange {
  /** Only those behind this position. @default from the oldest */
  readonly after?: string;
  /** Only the one at this position, if it is there. @default all */
  readonly at?: string;
  /** At most this many. */
  readonly limit: number;
}

/** The dead letters of one topic and group. */
export interface DeadLetterStore {
  /** How many there are. */
  count(): Promise<number>;
  /** The oldest first; an empty list at the end. */
  list(range: DeadLetterRange): Promise<DeadLetter[]>;
  /**
   * Hands one back to its group, and to no other, as a first attempt with `replays + 1`; moved in one step, so that it is
   * neither lost nor doubled. False if it is not there any more. With `frame`, the bytes of one message, these come back in place
   * of its own; for a letter of several messages that rejects with ConfigurationError, and the letter stays.
   */
  replay(position: string, frame?: Uint8Array): Promise<boolean>;
  /** Deletes one for good. False if it is not there any more. */
  remove(position: string): Promise<boolean>;
  /** Deletes all that there are now, and returns how many that were. */
  purge(): Promise<number>;
}

/** A driver that keeps dead letters, and lets them be looked at. */
export interface DeadLetterProvider {
  /** Rejects with ConfigurationError if the topic has no such group. */
  deadLetters(topic: string, group: string): Promise<DeadLetterStore>;
}

/** Whether the driver lets its dead letters be looked at. */
export function offersDeadLetters(driver: DiscoDriver): driver is DiscoDriver & DeadLetterProvider {
  return typeof (driver as Partial<DeadLetterProvider>).deadLetters === 'function';
}

/** What a store rejects with that is to replay one message in place of several. */
export function severalMessages(position: string): ConfigurationError {
  return new ConfigurationError(
    `The dead letter ${position} holds several messages: one cannot come back in their place`,
  );
}
