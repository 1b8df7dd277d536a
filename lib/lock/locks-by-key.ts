import { isDiscoBusError } from '../errors/disco-bus-error.js';
import type { Duration } from '../timing/duration.js';
import type { Lock } from './lock.js';
import type { LockManager } from './lock-manager.js';

/** Locks that are spoken of by their keys alone, as in the Go library: whoever took one in this process has it. */
export class LocksByKey {
  private readonly held = new Map<string, Lock>();
  private sweepAt = 1_024;

  constructor(private readonly locks: LockManager) {}

  async acquire(key: string, ttl?: Duration): Promise<boolean> {
    const lock = await this.locks.tryAcquire(key, { ttl });
    if (lock === null) return false;
    this.sweep();
    this.held.set(key, lock);
    return true;
  }

  async release(key: string): Promise<boolean> {
    const lock = this.held.get(key);
    if (lock === undefined) return false;
    return this.forgetIfLost(key, lock, async () => {
      await lock.release();
      this.forget(key, lock);
    });
  }

  async extend(key: string, ttl: Duration): Promise<boolean> {
    const lock = this.held.get(key);
    return lock !== undefined && this.forgetIfLost(key, lock, () => lock.extend(ttl));
  }

  private async forgetIfLost(key: string, lock: Lock, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (!isDiscoBusError(error, 'DISCO_LOCK_LOST')) throw error;
      this.forget(key, lock);
      return false;
    }
  }

  /** Another lock of that key may have been taken meanwhile. */
  private forget(key: string, lock: Lock): void {
    if (this.held.get(key) === lock) this.held.delete(key);
  }

  /** Those that ran out without being released are cleared whenever their number has doubled. */
  private sweep(): void {
    if (this.held.size < this.sweepAt) return;
    for (const [key, lock] of this.held) if (!lock.isValid()) this.held.delete(key);
    this.sweepAt = Math.max(1_024, this.held.size * 2);
  }
}
