import { inNobodysContext } from '../driver/async-context.js';
import type { DeliveryGuarantee } from '../driver/capabilities.js';
import type { DriverStatus } from '../driver/driver-status.js';
import { callGuest } from '../errors/guest.js';
import type { Headers } from '../message/headers.js';
import type { DropReason } from '../metrics/metrics.js';

/** Where a bus is in its life. It only ever moves forward, save back from `connecting` to `idle` after a failed start. */
export type BusState = 'idle' | 'connecting' | 'ready' | 'draining' | 'closed';

/** An attempt has failed and another one follows: told once that is recorded. */
export interface Retried {
  readonly type: 'retry';
  readonly topic: string;
  /** At least once the consumer group. */
  readonly group: string;
  readonly messageId: string;
  readonly headers: Headers;
  /** `Class.method` of a decorated handler. */
  readonly handler: string;
  /** The attempt that failed, the first being 1, and how many there may be. */
  readonly attempt: number;
  readonly attempts: number;
  /** Until the next one, in milliseconds. */
  readonly delayMs: number;
  /** What the handler threw; undefined where it asked for the attempt. */
  readonly error: unknown;
}

/** A lock was lost before it was released: somebody else may hold it. */
export interface LockLost {
  readonly type: 'lock-lost';
  readonly keys: readonly string[];
  readonly fencingToken: bigint;
}

/** A subscription is live, or has ended. */
export interface SubscriptionChanged {
  readonly type: 'subscribed' | 'unsubscribed';
  /** The topic or topic pattern. */
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  /** Undefined at most once. */
  readonly group?: string;
  readonly handler: string;
}

/**
 * What a bus tells of itself: its own state, its driver's connection, its subscriptions, what became of messages, and locks
 * that it lost.
 */
export type BusStatus =
  | { readonly type: 'state'; readonly state: BusState }
  | { readonly type: 'dropped'; readonly topic: string; readonly reason: DropReason }
  | Retried
  | SubscriptionChanged
  | LockLost
  | DriverStatus;

/** Called for each status, in order and in nobody's async context; must not throw. */
export type BusStatusListener = (status: BusStatus) => void;

/** The state of a bus and those who want to know of it. */
export class Lifecycle {
  private current: BusState = 'idle';
  private readonly listeners = new Set<BusStatusListener>();

  get state(): BusState {
    return this.current;
  }

  enter(state: BusState): void {
    if (state === this.current) return;
    this.current = state;
    this.emit({ type: 'state', state });
  }

  /** Calls `listener` for every status from now on; the returned function ends that. */
  listen(listener: BusStatusListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  emit(status: BusStatus): void {
    if (this.listeners.size > 0) inNobodysContext(this.tell, status);
  }

  private readonly tell = (status: BusStatus): void => {
    for (const listener of this.listeners) callGuest(listener, 'A status listener', () => listener(status));
  };
}
