import type { Agenda } from './agenda.js';
import type { DelayedEntry, FreshEntry } from './log-entry.js';

/** What is published to one topic with a delay, and is not due yet. */
export class DelayedEntries {
  /** By position. */
  readonly all = new Map<string, DelayedEntry>();
  /** Of their frames. */
  bytes = 0;

  constructor(
    private readonly agenda: Agenda,
    private readonly onDue: (entry: FreshEntry) => void,
  ) {}

  add(fresh: FreshEntry, delayMs: number): void {
    this.bytes += fresh.frame.byteLength;
    const due = this.agenda.in(delayMs, () => this.publish(fresh.position));
    this.all.set(fresh.position, { ...fresh, due });
  }

  /** Publishes it now. False if it is not there any more. */
  publish(position: string): boolean {
    const entry = this.take(position);
    if (entry !== undefined) this.onDue(entry);
    return entry !== undefined;
  }

  take(position: string): DelayedEntry | undefined {
    const entry = this.all.get(position);
    if (entry === undefined) return undefined;
    this.all.delete(position);
    this.bytes -= entry.frame.byteLength;
    entry.due.cancel();
    return entry;
  }
}
