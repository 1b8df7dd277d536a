import { inNobodysContext } from '../driver/async-context.js';
import type { DriverStatus } from '../driver/driver-status.js';
import { callGuest } from '../errors/guest.js';
import type { DropReason } from '../metrics/metrics.js';

/** Where a bus is in its life. It only ever moves forward, save back from `connecting` to `idle` after a failed start. */
export type BusState = 'idle' | 'connecting' | 'ready' | 'draining' | 'closed';

/** What a bus tells of itself: its own state, its driver's connection, and messages it had to give up. */
export type BusStatus =
  | { readonly type: 'state'; readonly state: BusState }
  | { readonly type: 'dropped'; readonly topic: string; readonly reason: DropReason }
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
