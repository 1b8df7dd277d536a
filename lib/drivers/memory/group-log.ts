import type { LogEntry, PrivateEntry } from './log-entry.js';
import type { LogSettings } from './log-settings.js';

/** The log that a group reads. */
export interface GroupLog {
  readonly topic: string;
  readonly settings: LogSettings;
  /** The sequence number that the next entry will get. */
  readonly end: number;
  /** The entry with that number, unless it was dropped. */
  entry(seq: number): LogEntry | undefined;
  /** An entry that stands in no log: one group keeps it for itself. */
  privateEntry(entry: PrivateEntry): LogEntry;
  /** A new position, later than all before. */
  nextPosition(): string;
  /** One more group is done with the entry. */
  release(entry: LogEntry): void;
  expired(entry: LogEntry): boolean;
}

/** Tells what was dropped for its time to live before the group, or, where that is undefined, any group read it. */
export function tellExpired(
  { topic, settings }: Pick<GroupLog, 'topic' | 'settings'>,
  group: string | undefined,
  dropped: readonly Pick<LogEntry, 'messages'>[],
): void {
  const messages = dropped.reduce((sum, entry) => sum + entry.messages, 0);
  if (messages > 0) settings.status({ type: 'expired', topic, group, messages });
}
