import type { Appointment } from './agenda.js';

/** A kept frame. */
export interface LogEntry {
  /** Its number in the topic's log, from 0; -1 when it stands in none. */
  readonly seq: number;
  readonly position: string;
  readonly frame: Uint8Array;
  /** How many messages the frame holds. */
  readonly messages: number;
  /** When it was stored, on the monotonic clock. */
  readonly storedMs: number;
  /** When it is not delivered any more, on the monotonic clock. */
  readonly expiresMs: number;
  /** How many groups are not done with it. */
  groupsLeft: number;
  /** How often it has been replayed as a dead letter. @default 0 */
  readonly replays?: number;
}

/** What is to be kept. */
export type FreshEntry = Pick<LogEntry, 'frame' | 'messages' | 'position' | 'expiresMs'>;

/** What is published with a delay, and when. */
export interface DelayedEntry extends FreshEntry {
  readonly due: Appointment;
}

/** What stands in no log, as one group keeps it for itself. `storedMs`: @default now. `replays`: @default 0 */
export type PrivateEntry = Pick<LogEntry, 'frame' | 'messages' | 'expiresMs' | 'replays'> &
  Partial<Pick<LogEntry, 'storedMs'>>;

/** An entry that a group has to handle, and how far it is with it. */
export interface Task {
  readonly entry: LogEntry;
  /** 1 for the first. */
  readonly attempt: number;
  /** How often it was released. */
  readonly waits?: number;
  /** Parts of a bundle that earlier attempts have settled. */
  readonly settledParts?: ReadonlySet<number>;
  /** When it came back to its group, on the monotonic clock; undefined for a first attempt. */
  backMs?: number;
}

/** How many messages of the task earlier attempts have not settled. */
export function unsettled({ entry, settledParts }: Task): number {
  return Math.max(0, entry.messages - (settledParts?.size ?? 0));
}
