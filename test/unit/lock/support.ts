import {
  type LockRange,
  offersForcedRelease,
  offersLockInspection,
} from '../../../lib/driver/lock-inspection.js';
import type { LockStore } from '../../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../../lib/drivers/memory/locks/memory-lock-table.js';
import { LockManager, type LockManagerOptions } from '../../../lib/lock/lock-manager.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

/** Managers over one table and a clock of their own. */
export function bench() {
  const clock = new ManualClock();
  const table = new MemoryLockTable({ clock });
  const made: LockManager[] = [];
  const manager = async (options: LockManagerOptions = {}, wrap = (store: LockStore) => store) => {
    const locks = new LockManager(wrap(new MemoryLockStore({ table })), { clock, ...options });
    made.push(locks);
    await locks.connect();
    return locks;
  };
  return { clock, table, manager, close: () => Promise.all(made.map((locks) => locks.close())) };
}

/** `store` with some of its methods replaced. */
export function over<Store extends LockStore>(store: Store, methods: Partial<Store>): Store {
  const seen = offersLockInspection(store) && {
    introduce: (tag: string) => store.introduce(tag),
    inspect: (key: string) => store.inspect(key),
    list: (range: LockRange) => store.list(range),
  };
  const forced = offersForcedRelease(store) && { forceRelease: (key: string) => store.forceRelease(key) };
  const known: LockStore = {
    ...seen,
    ...forced,
    name: store.name,
    connect: () => store.connect(),
    acquire: (...args) => store.acquire(...args),
    extend: (claim) => store.extend(claim),
    release: (claim) => store.release(claim),
    peek: (key) => store.peek(key),
    onReleased: (listener) => store.onReleased(listener),
    close: () => store.close(),
  };
  return { ...known, ...methods } as Store;
}

/** Steps the clock until the promise settles. */
export async function settled<Value>(
  clock: ManualClock,
  promise: Promise<Value>,
  stepMs = 10,
): Promise<Value> {
  let done = false;
  const watched = promise.finally(() => {
    done = true;
  });
  watched.catch(() => undefined);
  for (let step = 0; step < 10_000 && !done; step++) await clock.advance(stepMs);
  return watched;
}
