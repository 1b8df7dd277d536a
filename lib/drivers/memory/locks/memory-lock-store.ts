import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockHint,
  LockHintListeners,
  type LockState,
  type LockStore,
} from '../../../driver/lock-store.js';
import { ClosedError, NotConnectedError } from '../../../errors/bus.errors.js';
import type { Clock } from '../../../timing/clock.js';
import { MemoryLockTable } from './memory-lock-table.js';

/** What a {@link MemoryLockStore} is made of. */
export interface MemoryLockStoreOptions {
  /** Shared with other stores, which it then excludes. @default a table of its own */
  table?: MemoryLockTable;
  /** For a table of its own. @default the computer's clock */
  clock?: Clock;
}

/** Locks inside one process, with the semantics of the Redis store. Replicas are none: a claim that asks for some gets 0. */
export class MemoryLockStore implements LockStore {
  readonly name = 'memory';
  private readonly table: MemoryLockTable;
  private readonly hints = new LockHintListeners();
  private phase: 'new' | 'open' | 'closed' = 'new';

  constructor(options: MemoryLockStoreOptions = {}) {
    this.table = options.table ?? new MemoryLockTable({ clock: options.clock });
  }

  async connect(): Promise<void> {
    if (this.phase === 'closed') throw new ClosedError('The lock store is closed');
    this.phase = 'open';
  }

  async acquire(claim: LockClaim, options: LockAcquireOptions = {}): Promise<LockAnswer> {
    this.assertOpen();
    const answer = this.table.acquire(claim, options, this.inbox);
    return answer.granted && options.replicas ? { ...answer, replicas: 0 } : answer;
  }

  async extend(claim: LockClaim): Promise<boolean> {
    this.assertOpen();
    return this.table.extend(claim);
  }

  async release(claim: LockClaim): Promise<boolean> {
    this.assertOpen();
    return this.table.release(claim);
  }

  async peek(key: string): Promise<LockState> {
    this.assertOpen();
    return this.table.peek(key);
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.phase = 'closed';
    this.hints.clear();
  }

  /** Told in a microtask, as a hint never arrives inside the call of another store. */
  private readonly inbox = (hint: LockHint): boolean => {
    if (this.phase !== 'open') return false;
    queueMicrotask(() => this.hints.emit(hint));
    return true;
  };

  private assertOpen(): void {
    if (this.phase === 'new') throw new NotConnectedError('The lock store is not connected');
    if (this.phase === 'closed') throw new ClosedError('The lock store is closed');
  }
}
