/** A kept frame. */
export interface LogEntry {
  /** Its number in the topic's log, from 0; -1 when it stands in none. */
  readonly seq: number;
  readonly position: string;
  readonly frame: Uint8Array;
  /** When it was stored, on the monotonic clock. */
  readonly storedMs: number;
  /** When it is not delivered any more, on the monotonic clock. */
  readonly expiresMs: number;
  /** How many groups are not done with it. */
  groupsLeft: number;
  /** How often it has been replayed as a dead letter. @default 0 */
  readonly replays?: number;
}

/** An entry that a group has to handle, and how far it is with it. */
export interface Task {
  readonly entry: LogEntry;
  /** 1 for the first. */
  readonly attempt: number;
  /** Parts of a bundle that earlier attempts have settled. */
  readonly settledParts?: ReadonlySet<number>;
}
