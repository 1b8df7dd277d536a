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
  /** Encoded size of the body of a message published (`out`) or received (`in`), in bytes. */
  size(direction: 'in' | 'out', bytes: number): void;
}

/** Where measurements go. Implementations must be quick and must not throw. */
export interface Metrics {
  /** `topic` is a declared topic or pattern, never a name off the wire: the number of distinct ones is bounded. */
  topic(topic: string): TopicMetrics;
  /** A lock operation (`acquire | extend | release`) ended. */
  lockOperation(operation: string, status: 'success' | 'failed' | 'error'): void;
  lockWaited(seconds: number): void;
  lockHeld(seconds: number): void;
  lockLost(): void;
  /** Whether the driver is connected. */
  connection(up: boolean): void;
}
