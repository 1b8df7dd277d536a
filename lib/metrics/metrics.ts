/** How an attempt to handle a message ended. */
export type ProcessedStatus = 'success' | 'error' | 'panic' | 'timeout' | 'dead_letter';

/**
 * Why a message that arrived was given up without being handled. Of requests: `refused` (its headers are not those of a
 * request), `expired` (nobody waits for it any more). Of stored messages: `expired` (their `ttl` was over). Of dead letters: `dead-letters-full` (it gave way to a newer one). At most once: `closed` (its subscription was closed while paused). Of replies: `stray` (late, double, or to no request of ours).
 */
export type DropReason =
  | 'undecodable'
  | 'overflow'
  | 'failed'
  | 'terminated'
  | 'closed'
  | 'refused'
  | 'expired'
  | 'stray'
  | 'dead-letters-full';

/** The measurements of one topic. Made once per topic or subscription, so that a message costs no look-up. */
export interface TopicMetrics {
  /** A publish ended. `seconds` from the call to its settlement. */
  published(status: 'success' | 'error', seconds: number): void;
  /** An attempt ended. `seconds` the handler took. */
  processed(status: ProcessedStatus, seconds: number): void;
  /** An attempt failed and another will follow. */
  retried(): void;
  deadLettered(reason: string): void;
  dropped(reason: DropReason): void;
  /** Attempts under way: +1 or -1. */
  inFlight(change: number): void;
  /** Live subscriptions: +1 or -1. */
  subscriptions(change: number): void;
  /** A request of this process ended: with a reply, an error of the other side, or no answer in time. `seconds` from the call. */
  requested?(status: RequestStatus, seconds: number): void;
  /** Size of the body of a message published before it was compressed, in bytes; as `size` tells it where it was not. */
  plainSize?(bytes: number): void;
  /** Encoded size of the body of a message published (`out`) or received (`in`), in bytes. */
  size(direction: 'in' | 'out', bytes: number): void;
}

/** How a request ended. `cancelled`: who asked does not wait any more. */
export type RequestStatus = 'success' | 'error' | 'timeout' | 'cancelled';

/** The measurements of one handler. */
export interface HandlerMetrics {
  /** As {@link TopicMetrics.processed}. */
  processed(status: ProcessedStatus, seconds: number): void;
}

/** Where a group is, as it was last read. Of a topic pattern the sums over its topics. */
export interface GroupNumbers {
  /** Messages that nobody has. */
  readonly waiting: number;
  /** Messages that a member has read and not settled. */
  readonly held: number;
  /** Messages in a handler. */
  readonly running: number;
  /** Messages that are tried again. */
  readonly retrying: number;
  /** Messages in dead letters. */
  readonly deadLetters: number;
  /** Processes that read it. */
  readonly members: number;
  /** Age of the oldest message that is not handled; 0 where there is none. */
  readonly oldestSeconds: number;
  /** Operators have paused it. */
  readonly paused: boolean;
}

/** The numbers of one group, over all processes. One process tells them for all. */
export interface GroupMetrics {
  /** `undefined`: this process does not tell them any more. */
  set(numbers: GroupNumbers | undefined): void;
}

/**
 * Where measurements go. Implementations must be quick; what they throw changes nothing, and is told once as a process warning, as
 * is an answer of `topic`, `handler` or `group` that is no such object: a promise comes too late.
 */
export interface Metrics {
  /** `topic` is a declared topic or pattern, never a name off the wire: the number of distinct ones is bounded. */
  topic(topic: string): TopicMetrics;
  /** A handler of a group, by its name; `group` is `''` at most once. */
  handler?(topic: string, group: string, handler: string): HandlerMetrics;
  /** A group, as `bus.inspect` tells of it. Without it nobody reads the numbers. */
  group?(topic: string, group: string): GroupMetrics;
  /** Those who wait for a lock in this process: +1 or -1. */
  lockWaiters?(change: number): void;
  /** A lock operation (`acquire | extend | release`) ended. */
  lockOperation(operation: string, status: 'success' | 'failed' | 'error'): void;
  lockWaited(seconds: number): void;
  lockHeld(seconds: number): void;
  lockLost(): void;
  /** Whether the driver is connected. */
  connection(up: boolean): void;
}
