import type { LockClaim } from '../driver/lock-store.js';
import { LockLane } from './lock-lane.js';
import type { ResolvedLockOptions } from './lock-options.js';

/** The lanes of a process that are in use, by key. */
export class LockLanes {
  private readonly lanes = new Map<string, LockLane>();
  private sweepAt = 1_024;

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
