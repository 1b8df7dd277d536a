import type { BrowseRange, StoredEntry } from '../../driver/browsing.js';
import { isBefore } from './positions.js';
import type { LogStanding } from './standing.js';

/** Entries of a log that have not expired, the oldest first. */
export function browsedEntries({ entries, nowMs }: LogStanding, range: BrowseRange): StoredEntry[] {
  const { after, limit } = range;
  const found: StoredEntry[] = [];
  for (const { position, frame, expiresMs } of entries.values()) {
    if (found.length === limit) break;
    if (expiresMs <= nowMs || (after !== undefined && !isBefore(after, position))) continue;
    found.push({ position, frame });
  }
  return found;
}
