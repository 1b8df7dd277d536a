import type { DiscoDriver } from './driver.js';

/** Which stored entries of a topic are wanted. */
export interface BrowseRange {
  /** Only those behind this position. @default from the oldest that is kept */
  readonly after?: string;
  /** At most this many. */
  readonly limit: number;
}

/** An entry of a topic, as it is kept: one message, or a bundle of several. */
export interface StoredEntry {
  /** Names it in its topic; later ones sort later. */
  readonly position: string;
  /** The original bytes; undefined for what is none of this package's. */
  readonly frame?: Uint8Array;
}

/** A driver whose stored messages can be looked at without reading them for a group. */
export interface BrowsingProvider {
  /** The oldest first; an empty list at the end, and for a topic of which nothing is kept. Changes nothing. */
  browse(topic: string, range: BrowseRange): Promise<StoredEntry[]>;
}

/** Whether the driver's stored messages can be looked at. */
export function offersBrowsing(driver: DiscoDriver): driver is DiscoDriver & BrowsingProvider {
  return typeof (driver as Partial<BrowsingProvider>).browse === 'function';
}
