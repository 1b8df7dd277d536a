import type { DiscoDriver } from './driver.js';

/**
 * A driver on whose server one process at a time is chosen to watch something for all of them, so that many processes cost the
 * server no more than one.
 */
export interface WatchTurns {
  /**
   * Chooses `watcher` to watch `what` for `leaseMs` from now, where nobody is chosen or it is itself. Resolves with 0 if it
   * is chosen, else with how long the one that is chosen stays so, in milliseconds.
   */
  takeWatch(what: string, watcher: string, leaseMs: number): Promise<number>;
  /** Ends the turn of `watcher`, if it is chosen: the next one that asks is. */
  leaveWatch(what: string, watcher: string): Promise<void>;
}

/** Whether the driver can choose who watches. */
export function offersWatchTurns(driver: DiscoDriver): driver is DiscoDriver & WatchTurns {
  const { takeWatch, leaveWatch } = driver as Partial<WatchTurns>;
  return typeof takeWatch === 'function' && typeof leaveWatch === 'function';
}
