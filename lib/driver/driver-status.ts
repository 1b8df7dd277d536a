import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { callGuest } from '../errors/guest.js';
import type { Headers } from '../message/headers.js';

/**
 * What a driver tells of its connection. `connected`: to that target, without credentials; `fallback` where nothing says
 * where the server is, so that it is the one of this machine. `gap`: messages of these topics may have been missed between the two moments
 * (milliseconds since the epoch). `data-loss`: the server lost what it had stored for the topic. `trimmed`: so many stored
 * entries of a full topic, or of one that no group reads, gave way to newer ones, as the driver was told to. `unread`: a message
 * was stored for a topic that no group reads, told once for each topic; no more than these bounds is kept for it. `abandoned`: nobody reads
 * a group any more, and its topic fills for it: it holds so many entries, and was last read at `since` (milliseconds since the epoch;
 * undefined if never); told once for each group, and when it is `removed`. `full`: the server
 * has no memory for what is published, or has some again; what is stored is handled meanwhile, and makes room. `evicts`: the
 * server may drop keys when its memory is full, and with them messages, retries and locks. `dead-letters-full`: a group
 * keeps no more than `maxDeadLetters`, or no more than `maxBytes` where that is told, and so many of the oldest gave way to newer ones:
 * told each time. `deduplication-full`: no more than `maxIds` ids are remembered, and the oldest was forgotten within its
 * window: a publish that repeats it is stored again. `dead-letter`: a message was given up and kept, see {@link DeadLettered}.
 * `expired`: messages were dropped, see {@link MessagesExpired}.
 */
export type DriverStatus =
  | { readonly type: 'connected'; readonly target?: string; readonly fallback?: boolean }
  | { readonly type: 'disconnected'; readonly error?: DiscoBusError }
  | { readonly type: 'gap'; readonly topics: readonly string[]; readonly from: number; readonly to: number }
  | { readonly type: 'data-loss'; readonly topic: string }
  | { readonly type: 'trimmed'; readonly topic: string; readonly entries: number }
  | {
      readonly type: 'unread';
      readonly topic: string;
      readonly maxLength: number;
      readonly maxBytes: number;
      readonly maxAgeMs: number;
    }
  | {
      readonly type: 'abandoned';
      readonly topic: string;
      readonly group: string;
      readonly messages: number;
      readonly since: number | undefined;
      readonly removed: boolean;
    }
  | {
      readonly type: 'dead-letters-full';
      readonly topic: string;
      readonly group: string;
      readonly dropped: number;
      readonly maxDeadLetters: number;
      readonly maxBytes?: number;
    }
  | { readonly type: 'deduplication-full'; readonly maxIds: number; readonly windowMs: number }
  | DeadLettered
  | MessagesExpired
  | { readonly type: 'full'; readonly full: boolean }
  | { readonly type: 'evicts'; readonly policy: string }
  | { readonly type: 'error'; readonly error: DiscoBusError };

/**
 * The status `dead-letter`: a message was given up and is kept as a dead letter of its group. A bus tells it of each message that
 * its handlers gave up, a driver of those that it gave up itself: `crashes` (the processes that handled them died) and
 * `undecodable` (what is stored holds no message). Told once the dead letter is kept.
 */
export interface DeadLettered {
  readonly type: 'dead-letter';
  readonly topic: string;
  readonly group: string;
  /** As the dead letter has it: `attempts`, `unrecoverable`, `terminated`, `undecodable`, `crashes`. */
  readonly reason: string;
  /** Dead letters that this tells of. */
  readonly letters: number;
  /** What follows is undefined where the driver tells it. */
  readonly messageId?: string;
  readonly headers?: Headers;
  /** The handler that gave it up. */
  readonly handler?: string;
  /** The last attempt, the first being 1. */
  readonly attempt?: number;
  /** What the handler threw last. */
  readonly error?: unknown;
}

/**
 * The status `expired`: the `ttl` of messages was over before a handler of the group was given them, and they were dropped.
 * Told once they are gone, of many at a time.
 */
export interface MessagesExpired {
  readonly type: 'expired';
  readonly topic: string;
  /** Undefined where they were dropped before any group could read them. */
  readonly group: string | undefined;
  readonly messages: number;
}

/** The status `dead-letters-full`. */
export type DeadLettersFull = Extract<DriverStatus, { type: 'dead-letters-full' }>;

/** Called for each status, in order; must not throw. */
export type DriverStatusListener = (status: DriverStatus) => void;

/** The listeners of a driver: `add` returns the function that removes, `emit` keeps a throwing listener from harming others. */
export class DriverStatusListeners {
  private readonly listeners = new Set<DriverStatusListener>();

  add(listener: DriverStatusListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** The same for a driver around another one: `listener` is also called with what `inner` tells. */
  addAround(
    inner: { onStatus(listener: DriverStatusListener): () => void },
    listener: DriverStatusListener,
  ): () => void {
    const removals = [inner.onStatus(listener), this.add(listener)];
    return () => {
      for (const remove of removals) remove();
    };
  }

  emit(status: DriverStatus): void {
    for (const listener of this.listeners) callGuest(listener, 'A status listener', () => listener(status));
  }
}
