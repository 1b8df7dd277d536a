import { ConfigurationError } from '../errors/bus.errors.js';
import type { LockStore } from './lock-store.js';

/** The digits at the beginning of an owner token by which a store knows whose it is. */
export const OWNER_TAG_DIGITS = 16;

/** A process that holds a lock. */
export interface LockOwner {
  /** Undefined for locks that are used without a bus. */
  readonly service?: string;
  readonly host: string;
  readonly pid: number;
}

/** One acquisition that holds a lock. All times are milliseconds since the epoch on the clock of the store. */
export interface LockHolder {
  /** Undefined where the holder's process has not said who it is, as one of the Go library or of an earlier version. */
  readonly owner?: LockOwner;
  /** When the store granted it; a process may have passed it on inside since. Undefined where the store does not keep it. */
  readonly since?: number;
  /** It loses the lock then, unless it extends it. */
  readonly until: number;
  /** True where the key is only kept for a claim of several keys that waits for another of them. */
  readonly reserved?: true;
}

/** A lock at one moment. */
export interface LockInspection {
  readonly key: string;
  /**
   * How it is held: `'exclusive'` alone, also by the writer of a read-write lock; `'read'` by any number of readers;
   * `'semaphore'` by up to `permits` holders. Undefined when nobody holds it.
   */
  readonly mode?: 'exclusive' | 'read' | 'semaphore';
  /** Of a semaphore: how many the last holder allowed. */
  readonly permits?: number;
  /** The first to lose it first. */
  readonly holders: readonly LockHolder[];
  /** Claims in the store's queue. Those who wait inside a process for one of their own process are not among them. */
  readonly waiting: number;
  /** Until the last holder loses it, unless extended. 0 when nobody holds it. */
  readonly remainingMs: number;
  /** The last one granted; 0n when none is known. */
  readonly fencingToken: bigint;
}

/** Which locks are wanted. */
export interface LockRange {
  /** Only keys that this pattern matches, in which `*` stands for any number of characters. @default all */
  readonly match?: string;
  /** About this many: a page may hold fewer or more, and none although others follow. */
  readonly limit: number;
  /** Of the page before. @default from the beginning */
  readonly cursor?: string;
}

/** A page of held locks, in no order. */
export interface LockPage {
  readonly locks: readonly LockInspection[];
  /** For the next page; undefined at the end. */
  readonly cursor?: string;
}

/** A lock store that can tell who holds what. Looking changes nothing. */
export interface LockInspectionProvider {
  /** Claims whose tokens begin with these 16 digits are this process's, which others are told. May be called before `connect`. */
  introduce(tag: string): void;
  inspect(key: string): Promise<LockInspection>;
  /**
   * Locks that are held: each one that is held from the first page to the last is on one of them at least. It may cost the
   * server a look at all its keys, page by page: it is to be asked for by people, not by a timer.
   */
  list(range: LockRange): Promise<LockPage>;
}

/** A lock store whose locks can be taken from their holders. */
export interface ForcedReleaseProvider {
  /**
   * Takes the lock of `key` from all who hold it, and gives it to the next of the queue; resolves with how many lost it. Every
   * later grant has a larger fencing token. A former holder's `extend` and `release` answer false, and its store tells it by
   * a hint that says `lost` where it listens: that is so at the latest once it has extended a lock.
   */
  forceRelease(key: string): Promise<number>;
}

/** Whether the store can tell who holds what. */
export function offersLockInspection(store: LockStore): store is LockStore & LockInspectionProvider {
  const { introduce, inspect, list } = store as Partial<LockInspectionProvider>;
  return [introduce, inspect, list].every((method) => typeof method === 'function');
}

/** Whether locks of the store can be taken from their holders. */
export function offersForcedRelease(store: LockStore): store is LockStore & ForcedReleaseProvider {
  return typeof (store as Partial<ForcedReleaseProvider>).forceRelease === 'function';
}

/** The store as one that can tell; throws ConfigurationError where it cannot. */
export function lockInspectionOf(store: LockStore): LockInspectionProvider {
  if (offersLockInspection(store)) return store;
  throw new ConfigurationError(`The lock store "${store.name}" cannot tell who holds its locks`);
}

/** The store as one whose locks can be taken; throws ConfigurationError where they cannot. */
export function forcedReleaseOf(store: LockStore): ForcedReleaseProvider {
  if (offersForcedRelease(store)) return store;
  throw new ConfigurationError(`The lock store "${store.name}" cannot take a lock from its holder`);
}

/** Whether `key` is one that `match` means. */
export function keyMatcher(match: string | undefined): (key: string) => boolean {
  if (match === undefined) return () => true;
  const parts = match.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`, 's');
  return (key) => pattern.test(key);
}
