import { LockCallHeader } from './lock-call.js';

/** How a {@link RedisLockStore} treats its queues. */
export interface RedisLockStoreOptions {
  /** A queued claim is to be repeated at least this often, as news can be lost. Milliseconds. @default 1000 */
  pollMs?: number;
  /** A queued claim that was not repeated for so long loses its place. Milliseconds. @default 5000 */
  waiterTtlMs?: number;
  /**
   * A lock that is handed over is given for no longer than this until its new holder extends it. Milliseconds.
   * @default 10000; 2000 on a cluster, which cannot tell whether a waiter is still there
   */
  handOffMs?: number;
  /** So long after the last grant the fencing counter of a key is kept; afterwards the server's clock alone makes it rise. Milliseconds. @default 7 days */
  fenceTtlMs?: number;
}

const dayMs = 86_400_000;

/** The arguments of a store's calls as its options say: for one that can be told when it is its turn, and for one that cannot. */
export class LockTuning {
  readonly pollMs: number;
  readonly heard: LockCallHeader;
  readonly deaf: LockCallHeader;

  constructor(options: RedisLockStoreOptions, clustered: boolean, inbox: string) {
    const { pollMs = 1_000, waiterTtlMs = 5_000, fenceTtlMs = 7 * dayMs } = options;
    const { handOffMs = clustered ? 2_000 : 10_000 } = options;
    const header = (channel: string) => {
      const tuned = `${waiterTtlMs} ${handOffMs} ${clustered ? '0' : '1'} ${channel}`;
      return new LockCallHeader([tuned, String(Math.max(fenceTtlMs, waiterTtlMs))]);
    };
    this.pollMs = pollMs;
    this.heard = header(inbox);
    this.deaf = header('-');
  }
}
