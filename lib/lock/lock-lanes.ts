import type { LockClaim } from '../driver/lock-store.js';
import { LockLane } from './lock-lane.js';
import type { ResolvedLockOptions } from './lock-options.js';

/** So many busy keys are remembered at a time. */
const mostBusy = 1_024;

/** The lanes of a process that are in use, by key. */
export class LockLanes {
  private readonly lanes = new Map<string, LockLane>();
  private sweepAt = 1_024;
  /** Keys that were not free when last asked for. */
  private readonly busy = new Set<string>();

  /** The lane of `key`, if somebody of this process holds or wants it. */
  at(key: string): LockLane | undefined {
    return this.lanes.get(key);
  }

  /** The lane for a claim. Claims of one key queue in the process, unless they are shared or want the store to keep the order. */
  for({ keys, mode }: LockClaim, { fair }: ResolvedLockOptions): LockLane | undefined {
    if (mode === 'shared' || keys.length > 1 || fair) return undefined;
    let lane = this.lanes.get(keys[0]);
    if (lane === undefined) {
      this.sweep();
      lane = new LockLane();
      this.lanes.set(keys[0], lane);
    }
    return lane;
  }

  /** Whether `key` was held when last asked for, and so is likely to be. */
  isBusy(key: string): boolean {
    return this.busy.has(key);
  }

  /** `key` was asked for: it was free, or not. */
  found(key: string, free: boolean): void {
    if (free) this.busy.delete(key);
    else {
      if (this.busy.size === mostBusy) this.busy.clear();
      this.busy.add(key);
    }
  }

  /** Forgets the lane of `key` if nobody is there any more. */
  tidy(key: string): void {
    if (this.lanes.get(key)?.empty) this.lanes.delete(key);
  }

  /** Locks that ran out without being released leave their lanes behind: cleared whenever the lanes have doubled. */
  private sweep(): void {
    if (this.lanes.size < this.sweepAt) return;
    for (const key of this.lanes.keys()) this.tidy(key);
    this.sweepAt = Math.max(1_024, this.lanes.size * 2);
  }
}
