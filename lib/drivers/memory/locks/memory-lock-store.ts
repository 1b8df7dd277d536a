import { hostname } from 'node:os';
import type {
  ForcedReleaseProvider,
  LockInspection,
  LockInspectionProvider,
  LockPage,
  LockRange,
} from '../../../driver/lock-inspection.js';
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
  /** Who uses it, for those who look at its locks. @default nobody is named */
  service?: string;
}

/** Locks inside one process, with the semantics of the Redis store. Replicas are none: a claim that asks for some gets 0. */
export class MemoryLockStore implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  readonly name = 'memory';
  private readonly table: MemoryLockTable;
  private readonly hints = new LockHintListeners();
  private readonly service: string | undefined;
  private readonly introduced: (() => void)[] = [];
  private phase: 'new' | 'open' | 'closed' = 'new';

  constructor(options: MemoryLockStoreOptions = {}) {
    this.table = options.table ?? new MemoryLockTable({ clock: options.clock });
    this.service = options.service;
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

  introduce(tag: string): void {
    const { service } = this;
    const owner = { ...(service !== undefined && { service }), host: hostname(), pid: process.pid };
    this.introduced.push(this.table.introduce(tag, owner, this.inbox));
  }

  async inspect(key: string): Promise<LockInspection> {
    this.assertOpen();
    return this.table.inspect(key);
  }

  async list({ match, limit, cursor = '0' }: LockRange): Promise<LockPage> {
    this.assertOpen();
    const held = this.table.held(match);
    held.sort((one, other) => (one.key < other.key ? -1 : 1));
    const from = cursor === '0' ? 0 : held.findIndex(({ key }) => key > cursor.slice(1));
    const locks = from < 0 ? [] : held.slice(from, from + limit);
    const more = from >= 0 && from + limit < held.length;
    return more ? { locks, cursor: `>${locks[locks.length - 1].key}` } : { locks };
  }

  async forceRelease(key: string): Promise<number> {
    this.assertOpen();
    return this.table.forceRelease(key);
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.phase = 'closed';
    this.hints.clear();
    for (const forget of this.introduced) forget();
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
