import { callGuest } from '../errors/guest.js';
import type { DriverContext } from './driver.js';

/**
 * How a claim shares its keys. `'exclusive'`: no other holder of any kind. `'shared'`: beside other shared holders only,
 * and no more of them than `permits`. An exclusive lock, a writer, a reader and a semaphore are all claims of these two.
 */
export type LockMode = 'exclusive' | 'shared';

/** One acquisition: what is asked for, and who asks. */
export interface LockClaim {
  /** Distinct and sorted; at least one. A shared claim has exactly one. Several are taken all or none. */
  readonly keys: readonly string[];
  /** Owner token: 32 hex digits, of this acquisition alone; the first 16 may name who makes it, see `introduce`. */
  readonly token: string;
  readonly mode: LockMode;
  /** Shared claims: the most shared holders at once, this one included. 0 = any number. Exclusive claims: 0. */
  readonly permits: number;
  /** The store frees the lock by itself after this. Whole milliseconds. */
  readonly ttlMs: number;
}

/** How a claim is to be made. */
export interface LockAcquireOptions {
  /**
   * Queue the claim when it is refused, or keep its place: the store hands the lock over in the order of the queue, and
   * tells by a hint. A claim that is not repeated within `retryAfterMs` may lose its place. `release` takes it out.
   * @default false
   */
  readonly wait?: boolean;
  /**
   * The token of an exclusive holder of the same single key who gives the lock to this claim: release and acquire in one
   * step, ahead of the queue. If that holder no longer holds, the claim is made as any other.
   * @default none
   */
  readonly succeeds?: string;
  /** The grant's fencing token is at least this; a repeated claim raises its own to it. @default 0n */
  readonly minFencingToken?: bigint;
  /** Wait until so many replicas have the grant, or the time is over; the answer says how many did. @default none */
  readonly replicas?: { readonly min: number; readonly timeoutMs: number };
}

/** The claim holds its keys. */
export interface LockGrant {
  readonly granted: true;
  /** Larger than that of every earlier grant of any of the keys, also after the store lost its counter. */
  readonly fencingToken: bigint;
  /**
   * So many numbers after `fencingToken` are this grant's alone: every later grant is larger. A process may number those
   * to whom it passes the lock on with them, without asking the store. @default 0
   */
  readonly spareTokens?: number;
  /** How many replicas confirmed it; only where `replicas` was asked for. */
  readonly replicas?: number;
  /** Whether the holder named by `succeeds` still held the lock, and so gave it up. */
  readonly succeeded?: boolean;
}

/** The claim holds none of its keys. */
export interface LockRefusal {
  readonly granted: false;
  /** Claim again no later than this: the lock may be free by then without a hint. */
  readonly retryAfterMs: number;
  readonly succeeded?: boolean;
}

/** What a claim comes to. */
export type LockAnswer = LockGrant | LockRefusal;

/** What is known of a key. */
export interface LockState {
  /** How many hold it. */
  readonly holders: number;
  /** How they hold it; undefined when nobody does. */
  readonly mode?: LockMode;
  /** Until the last of them loses it, unless extended. 0 when nobody holds it. */
  readonly remainingMs: number;
  /** Claims in the queue. */
  readonly waiting: number;
  /** The last one granted; 0n when none is known. */
  readonly fencingToken: bigint;
}

/**
 * Tells a queued claim to act. It may come late, twice, for a claim long gone, or never.
 * With `grant` the claim holds its single key already; without, it is to be made again. Without `token` every queued
 * claim of this store is to be made again, as after the connection came back. With `lost` it is about no claim that waits: what
 * held by this token does not hold any more, as somebody took it away.
 */
export interface LockHint {
  readonly token?: string;
  readonly lost?: true;
  readonly grant?: {
    readonly fencingToken: bigint;
    /** See {@link LockGrant.spareTokens}. @default 0 */
    readonly spareTokens?: number;
    /** The time given; it may be shorter than the claim's own, which is then to be made good by `extend`. */
    readonly ttlMs: number;
    /** The grant was made no longer ago than this, on this process's monotonic clock. */
    readonly ageMs: number;
  };
}

/**
 * Keeps locks. Knows nothing of waiting, retries, validity or Nest: policy is above.
 *
 * All rejections are {@link DiscoBusError}s: NotConnectedError before `connect`, ClosedError after `close`,
 * ConfigurationError for a claim that could never be granted, and LockUnavailableError when the store could not be asked
 * in time: the outcome is then unknown. Operations of one turn of the event loop may travel together; they take effect
 * in the order they were called.
 */
export interface LockStore {
  /** A short name for logs and metrics, as `'redis'`. */
  readonly name: string;
  /** Resolves when claims can be made. Called again while connected it does nothing; may be repeated after it rejected. */
  connect(): Promise<void>;
  /**
   * Makes a claim. Idempotent for its own token: repeated by a holder it sets the time to live anew and answers with the
   * same fencing token (a shared or raised one may be larger). A claim never overtakes those in the queue.
   */
  acquire(claim: LockClaim, options?: LockAcquireOptions): Promise<LockAnswer>;
  /** Sets the time to live to `claim.ttlMs` from now, if the token still holds every key; otherwise changes nothing: false. */
  extend(claim: LockClaim): Promise<boolean>;
  /**
   * Gives up whatever the token holds and its place in the queue; the next of the queue gets the lock. True if it held
   * every key. Never touches what another token holds.
   */
  release(claim: LockClaim): Promise<boolean>;
  /** Reads the state of `key` and changes nothing. */
  peek(key: string): Promise<LockState>;
  /** Calls `listener`, which must not throw, for every hint from now on; the returned function ends that. */
  onReleased(listener: (hint: LockHint) => void): () => void;
  /** Ends connections; leaves no timer, socket or listener. What is held stays held until its time is over. Idempotent. */
  close(): Promise<void>;
}

/** A driver that has locks to offer beside its messages. */
export interface LockStoreProvider {
  /** A new store, not yet connected, on the driver's own server; the caller closes it. */
  lockStore(context?: DriverContext): LockStore;
}

/** Whether `driver` offers a lock store. */
export function offersLocks(driver: object): driver is LockStoreProvider {
  return typeof (driver as Partial<LockStoreProvider>).lockStore === 'function';
}

/** The listeners of a lock store: `add` returns the function that removes, `emit` keeps a throwing listener from harming others. */
export class LockHintListeners {
  private readonly listeners = new Set<(hint: LockHint) => void>();

  add(listener: (hint: LockHint) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  emit(hint: LockHint): void {
    for (const listener of this.listeners) callGuest(listener, 'A lock listener', () => listener(hint));
  }

  clear(): void {
    this.listeners.clear();
  }
}
