import type { DeadLetter } from '../../driver/dead-letters.js';
import {
  aFunction,
  aNumber,
  aSignal,
  aString,
  checkedElsewhere,
  type OptionKinds,
} from '../../errors/option-kinds.js';
import type { Message } from '../../message/message.js';
import type { AdminOptions } from './bus-admin.js';
import type { LetterChanges } from './dead-letter-edit.js';

/** A message that its group has given up. */
export interface DeadLetteredMessage<Payload = unknown> extends Omit<DeadLetter, 'frame'> {
  /**
   * The message, with headers added that tell what became of it: `x-dead-letter-reason`, `x-original-topic`,
   * `x-original-group`, `x-original-id`, `x-failed-at` (ISO 8601), `x-attempts`, `x-error-name`, `x-error-message`.
   * Undefined when its bytes cannot be read.
   */
  readonly message?: Message<Payload>;
  /** The bytes as they were published. */
  readonly frame: Uint8Array;
}

/** Which dead letters to look at. */
export interface PeekOptions {
  /** 1 to 1000. @default 100 */
  limit?: number;
  /** Only those behind this position. */
  after?: string;
  /** Only those that were given up for this reason: all are read for it, page by page. @default all */
  reason?: string;
}

/** What is to be different about a letter that is replayed, and who wants it so. */
export interface EditOptions extends LetterChanges, AdminOptions {}

/** How to replay. */
export interface ReplayOptions<Payload = unknown> extends AdminOptions {
  /** Only those that it says `true` to, of `true` and `false`: anything else ends the replay, as an error does. @default all */
  filter?: (letter: DeadLetteredMessage<Payload>) => boolean;
  /** A message that has been replayed this often stays where it is, so that poison does not circle. @default 3 */
  maxReplays?: number;
  /** Messages per second. @default 100 */
  rate?: number;
  /** Ends the replay after the message under way. */
  signal?: AbortSignal;
}

/** What a replay did. */
export interface ReplayReport {
  readonly replayed: number;
  /** Left in place because they had been replayed `maxReplays` times. */
  readonly capped: number;
}

/** What each option may be. */
export const peekKinds: OptionKinds<PeekOptions> = { limit: aNumber, after: aString, reason: aString };
/** What each option may be. */
export const byKind: OptionKinds<AdminOptions> = { by: aString };
/** What each option may be. */
export const editKinds: OptionKinds<EditOptions> = {
  ...byKind,
  payload: checkedElsewhere,
  headers: checkedElsewhere,
};

/** What each option may be. */
export const replayKinds: OptionKinds<ReplayOptions> = {
  ...byKind,
  filter: aFunction,
  maxReplays: aNumber,
  rate: aNumber,
  signal: aSignal,
};
