import type { ForcedReleaseProvider, LockInspectionProvider } from '../../lib/driver/lock-inspection.js';
import type { LockAnswer, LockClaim, LockStore } from '../../lib/driver/lock-store.js';
import { MemoryLockStore } from '../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryLockTable } from '../../lib/drivers/memory/locks/memory-lock-table.js';
import { lockStoreCases, runLockStoreCase } from '../../lib/testing/lock-store-contract.js';
import type { LockStoreHarness } from '../../lib/testing/lock-store-harness.js';
import { over } from '../unit/lock/support.js';

type Whole = LockStore & LockInspectionProvider & ForcedReleaseProvider;
type Fault = (store: Whole, held: Map<string, LockClaim>) => Partial<Whole>;

/** Each is the memory store with one fault, and the cases that must find it. */
const broken: Record<string, { readonly fault: Fault; readonly found: readonly string[] }> = {
  'grants everything': {
    fault: () => ({ acquire: async () => ({ granted: true, fencingToken: 1n }) }),
    found: ['one-winner', 'permits', 'fencing', 'odd-keys'],
  },
  'releases for anybody': {
    fault: (store, held) => ({
      release: (claim) => store.release({ ...claim, token: held.get(claim.keys[0])?.token ?? claim.token }),
    }),
    found: ['owner-releases', 'expiry'],
  },
  'extends for anybody': {
    fault: (store, held) => ({
      extend: (claim) => store.extend({ ...claim, token: held.get(claim.keys[0])?.token ?? claim.token }),
    }),
    found: ['owner-extends'],
  },
  'says true to every extension': {
    fault: () => ({ extend: async () => true }),
    found: ['owner-extends', 'expiry'],
  },
  'says true to every release': { fault: () => ({ release: async () => true }), found: ['owner-releases'] },
  'counts fencing tokens per store': {
    fault: (store) => {
      let last = 0n;
      return {
        acquire: (claim, options) => store.acquire(claim, options).then((answer) => numbered(answer, ++last)),
      };
    },
    found: ['fencing'],
  },
  'gives a repeated claim a new fencing token': {
    fault: (store) => ({
      acquire: (claim) => store.release(claim).then(() => store.acquire(claim)),
    }),
    found: ['idempotent'],
  },
  'keeps locks for ever': {
    fault: (store) => ({
      acquire: (claim, options) => store.acquire({ ...claim, ttlMs: 3_600_000 }, options),
    }),
    found: ['expiry', 'permits-expire', 'close-keeps'],
  },
  'takes the first of several keys only': {
    fault: (store) => ({
      acquire: (claim, options) => store.acquire({ ...claim, keys: claim.keys.slice(0, 1) }, options),
    }),
    found: ['all-or-none'],
  },
  'forgets permits': {
    fault: (store) => ({ acquire: (claim, options) => store.acquire({ ...claim, permits: 0 }, options) }),
    found: ['permits', 'permit-queue'],
  },
  'makes readers of writers': {
    fault: (store) => ({ acquire: (claim, options) => store.acquire({ ...claim, mode: 'shared' }, options) }),
    found: ['one-winner', 'readers'],
  },
  'never queues': {
    fault: (store) => ({ acquire: (claim, options) => store.acquire(claim, { ...options, wait: false }) }),
    found: ['peek', 'hand-over', 'writer'],
  },
  'leaves those who gave up in the queue': {
    fault: (store, held) => ({
      release: (claim) =>
        held.get(claim.keys[0])?.token === claim.token ? store.release(claim) : Promise.resolve(false),
    }),
    found: ['give-up'],
  },
  'makes claims later than the release that was called after them': {
    fault: (store) => ({
      acquire: async (claim, options) => {
        await new Promise((resolve) => setImmediate(resolve));
        return store.acquire(claim, options);
      },
    }),
    found: ['give-up-early'],
  },
  'answers claims before it has made them': {
    fault: (store) => ({
      acquire: async (claim, options) => {
        setImmediate(() => void store.acquire(claim, options).catch(() => undefined));
        return { granted: false, retryAfterMs: 5 };
      },
    }),
    found: ['give-up-early'],
  },
  'passes nothing on': {
    fault: (store) => ({
      acquire: (claim, options) => store.acquire(claim, { ...options, succeeds: undefined }),
    }),
    found: ['succession'],
  },
  'ignores the least fencing token': {
    fault: (store) => ({
      acquire: (claim, options) => store.acquire(claim, { ...options, minFencingToken: 0n }),
    }),
    found: ['fencing-floor'],
  },
  'sets fencing tokens aside that it grants to others': {
    fault: (store) => ({
      acquire: async (claim, options) => ({
        ...(await store.acquire(claim, options)),
        spareTokens: 1_000_000_000_000,
      }),
    }),
    found: ['fencing'],
  },
  'takes the lock when looking': {
    fault: (store) => ({
      peek: async (key) => {
        const token = 'f'.repeat(32);
        await store.acquire({ keys: [key], token, mode: 'exclusive', permits: 0, ttlMs: 1_000 });
        return store.peek(key);
      },
    }),
    found: ['peek'],
  },
  'counts readers as holders of a semaphore': {
    fault: (store) => ({
      inspect: async (key) => {
        const lock = await store.inspect(key);
        return lock.mode === 'read' ? { ...lock, mode: 'semaphore', permits: lock.holders.length } : lock;
      },
    }),
    found: ['inspect'],
  },
  'does not know whose its locks are': {
    fault: () => ({ introduce: () => undefined }),
    found: ['inspect'],
  },
  'lists what was released': {
    fault: (store) => {
      const known = new Set<string>();
      return {
        list: async (range) => {
          const page = await store.list(range);
          for (const { key } of page.locks) known.add(key);
          return { ...page, locks: await Promise.all([...known].map((key) => store.inspect(key))) };
        },
      };
    },
    found: ['list'],
  },
  'lists no second page': {
    fault: (store) => ({ list: async (range) => ({ locks: (await store.list(range)).locks }) }),
    found: ['list'],
  },
  'leaves the queue waiting when it takes a lock away': {
    fault: (store, held) => ({
      forceRelease: async (key) => ((await store.extend({ ...held.get(key)!, ttlMs: 20 })) ? 1 : 0),
    }),
    found: ['force', 'force-semaphore'],
  },
  'gives a lock that was taken away back to whoever extends it': {
    fault: (store) => ({
      extend: async (claim) => (await store.extend(claim)) || (await store.acquire(claim)).granted,
    }),
    found: ['force-holder'],
  },
  'tells nobody whose lock was taken away': {
    fault: (store) => ({
      onReleased: (listener) => store.onReleased((hint) => (hint.lost ? undefined : listener(hint))),
    }),
    found: ['force-holder'],
  },
  'does not mind being closed': {
    fault: () => ({ close: async () => undefined }),
    found: ['closed'],
  },
};

function harnessOf(fault: Fault): LockStoreHarness {
  const table = new MemoryLockTable();
  const held = new Map<string, LockClaim>();
  const createStore = () => {
    const store = new MemoryLockStore({ table });
    const noting = over(store, {
      acquire: async (claim, options) => {
        const answer = await store.acquire(claim, options);
        if (answer.granted) held.set(claim.keys[0], claim);
        return answer;
      },
    });
    return over(noting, fault(noting, held));
  };
  return { createStore, traces: () => table.size, inspection: true, forcedRelease: true, deadlineMs: 300 };
}

function numbered(answer: LockAnswer, fencingToken: bigint): LockAnswer {
  return answer.granted ? { ...answer, fencingToken } : answer;
}

describe('The lock store contract can fail', () => {
  const cases = Object.entries(broken).flatMap(([what, { fault, found }]) =>
    found.map((id) => [id, what, fault] as const),
  );

  it.each(cases)('%s finds a store that %s', async (id, _what, fault) => {
    const lockCase = lockStoreCases.find((candidate) => candidate.id === id)!;
    await runLockStoreCase(
      lockCase,
      harnessOf(() => ({})),
    );
    await expect(runLockStoreCase(lockCase, harnessOf(fault))).rejects.toThrow();
  });
});
