import assert from 'node:assert/strict';
import { type LockStoreCase } from './lock-store-case.js';

/** Names that a careless store mixes up or chokes on. */
const oddKeys = [
  '{',
  '}',
  '{}',
  'a{b',
  'a}b',
  '%7B',
  '%',
  ' ',
  'ключ',
  '\u0000',
  '"',
  '__proto__',
  ':queue',
  'a:fence',
];

/** Who holds what. */
export const lockClaimCases: readonly LockStoreCase[] = [
  {
    id: 'one-winner',
    name: 'of many claims made at once, over several stores, one is granted',
    async run(stage) {
      const stores = await Promise.all([stage.store(), stage.store(), stage.store()]);
      const claims = Array.from({ length: 30 }, () => stage.claim());
      const answers = await Promise.all(claims.map((claim, index) => stores[index % 3].acquire(claim)));
      assert.equal(answers.filter(({ granted }) => granted).length, 1);
    },
  },
  {
    id: 'owner-releases',
    name: 'only the owner releases, and only once',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const owner = stage.claim();
      await stage.granted(store, owner);
      assert.equal(await other.release(stage.claim()), false);
      await stage.refused(other, stage.claim());
      assert.equal(await store.release(owner), true);
      await stage.granted(other, stage.claim());
      assert.equal(await store.release(owner), false);
      await stage.refused(store, stage.claim());
    },
  },
  {
    id: 'owner-extends',
    name: 'only the owner extends',
    async run(stage) {
      const store = await stage.store();
      const owner = stage.claim({ ttlMs: 2_000 });
      await stage.granted(store, owner);
      assert.equal(await store.extend(stage.claim({ ttlMs: 60_000 })), false);
      assert.ok((await store.peek(stage.key())).remainingMs <= 2_000);
      assert.equal(await store.extend({ ...owner, ttlMs: 60_000 }), true);
      assert.ok((await store.peek(stage.key())).remainingMs > 50_000);
    },
  },
  {
    id: 'expiry',
    name: 'a lock is free after its time, and its owner then neither extends nor releases',
    async run(stage) {
      const store = await stage.store();
      const first = stage.claim({ ttlMs: 120 });
      const { fencingToken } = await stage.granted(store, first);
      await stage.refused(store, stage.claim());
      await stage.elapse(150);
      assert.equal(await store.extend(first), false);
      assert.equal(await store.release(first), false);
      const next = await stage.granted(store, stage.claim());
      assert.ok(next.fencingToken > fencingToken);
      assert.equal(await store.extend(first), false);
      assert.equal(await store.release(first), false);
      assert.equal((await store.peek(stage.key())).holders, 1);
    },
  },
  {
    id: 'retry-after',
    name: 'a refusal says to come again no later than the lock may run out',
    async run(stage) {
      const store = await stage.store();
      await stage.granted(store, stage.claim({ ttlMs: 300 }));
      const { retryAfterMs } = await stage.refused(store, stage.claim());
      assert.ok(retryAfterMs <= 310, `${retryAfterMs} ms for a lock of 300 ms`);
    },
  },
  {
    id: 'fencing',
    name: 'fencing tokens rise with every grant, over all stores, and past those set aside for it',
    async run(stage) {
      const stores = [await stage.store(), await stage.store()];
      let last = 0n;
      for (let round = 0; round < 40; round++) {
        const claim = round % 3 === 2 ? stage.shared() : stage.claim();
        const { fencingToken, spareTokens = 0 } = await stage.granted(stores[round % 2], claim);
        assert.ok(fencingToken > last, `${fencingToken} after ${last}`);
        last = fencingToken + BigInt(spareTokens);
        await stores[round % 2].release(claim);
      }
    },
  },
  {
    id: 'fencing-forget',
    name: 'fencing tokens rise also after the server has forgotten everything',
    needs: ['forget'],
    async run(stage) {
      const store = await stage.store();
      let last = 0n;
      for (let round = 0; round < 10; round++) {
        const { fencingToken, spareTokens = 0 } = await stage.granted(store, stage.claim());
        assert.ok(fencingToken > last, `${fencingToken} after ${last}`);
        last = fencingToken + BigInt(spareTokens);
        await stage.harness.forget!();
      }
    },
  },
  {
    id: 'fencing-floor',
    name: 'a grant reaches the least fencing token asked for, and later ones go on from there',
    async run(stage) {
      const store = await stage.store();
      const claim = stage.claim();
      const { fencingToken } = await stage.granted(store, claim);
      const floor = fencingToken + 1_000_000_000n;
      const raised = await stage.granted(store, claim, { minFencingToken: floor });
      assert.ok(raised.fencingToken >= floor);
      await store.release(claim);
      assert.ok((await stage.granted(store, stage.claim())).fencingToken > raised.fencingToken);
    },
  },
  {
    id: 'idempotent',
    name: 'a claim repeated by its holder is granted again with the same fencing token and a new time',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const claim = stage.claim({ ttlMs: 1_000 });
      const { fencingToken } = await stage.granted(store, claim);
      const again = await stage.granted(other, { ...claim, ttlMs: 60_000 });
      assert.equal(again.fencingToken, fencingToken);
      assert.ok((await store.peek(stage.key())).remainingMs > 50_000);
      assert.equal(await store.release(claim), true);
      assert.equal((await store.peek(stage.key())).holders, 0);
    },
  },
  {
    id: 'all-or-none',
    name: 'several keys are taken all or none, and released together',
    async run(stage) {
      const store = await stage.store();
      const keys = ['{t}:a', '{t}:b', '{t}:c'].map((more) => stage.key(more));
      const one = stage.claim({ keys: [keys[1]] });
      const before = await stage.granted(store, one);
      await stage.refused(store, stage.claim({ keys }));
      for (const key of [keys[0], keys[2]]) assert.equal((await store.peek(key)).holders, 0);
      await store.release(one);
      const all = stage.claim({ keys });
      const { fencingToken } = await stage.granted(store, all);
      assert.ok(fencingToken > before.fencingToken);
      for (const key of keys) await stage.refused(store, stage.claim({ keys: [key] }));
      assert.equal((await stage.granted(store, all)).fencingToken, fencingToken);
      assert.equal(await store.extend({ ...all, ttlMs: 60_000 }), true);
      assert.equal(await store.release(all), true);
      for (const key of keys) {
        const next = await stage.granted(store, stage.claim({ keys: [key] }));
        assert.ok(next.fencingToken > fencingToken);
      }
    },
  },
  {
    id: 'readers',
    name: 'shared claims stand beside each other and exclude an exclusive one',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const readers = [stage.shared(), stage.shared(), stage.shared()];
      for (const [index, reader] of readers.entries()) await stage.granted(index % 2 ? store : other, reader);
      assert.deepEqual(pick(await store.peek(stage.key())), { holders: 3, mode: 'shared' });
      await stage.refused(store, stage.claim());
      for (const reader of readers) assert.equal(await store.release(reader), true);
      await stage.granted(store, stage.claim());
      await stage.refused(store, stage.shared());
      assert.deepEqual(pick(await store.peek(stage.key())), { holders: 1, mode: 'exclusive' });
    },
  },
  {
    id: 'permits',
    name: 'no more than the permitted number hold at once, however they are claimed',
    async run(stage) {
      const stores = [await stage.store(), await stage.store()];
      const claims = Array.from({ length: 20 }, () => stage.shared(3));
      const answers = await Promise.all(claims.map((claim, index) => stores[index % 2].acquire(claim)));
      const holders = claims.filter((_, index) => answers[index].granted);
      assert.equal(holders.length, 3);
      assert.equal(await stores[1].release(holders[0]), true);
      await stage.granted(stores[0], stage.shared(3));
      await stage.refused(stores[0], stage.shared(3));
    },
  },
  {
    id: 'permits-expire',
    name: 'each permit has a time of its own',
    async run(stage) {
      const store = await stage.store();
      const [short, long] = [stage.shared(2, { ttlMs: 120 }), stage.shared(2)];
      await stage.granted(store, long);
      await stage.granted(store, short);
      await stage.refused(store, stage.shared(2));
      await stage.elapse(150);
      assert.equal(await store.extend(short), false);
      assert.equal((await store.peek(stage.key())).holders, 1);
      await stage.granted(store, stage.shared(2));
      await stage.refused(store, stage.shared(2));
      assert.equal(await store.extend(long), true);
    },
  },
  {
    id: 'odd-keys',
    name: 'every key is a lock of its own, whatever its characters',
    async run(stage) {
      const store = await stage.store();
      const keys = [...oddKeys, ...oddKeys.map((key) => `{x}${key}`), 'x'].map(
        (key) => `${key}${stage.key()}`,
      );
      for (const key of keys) await stage.granted(store, stage.claim({ keys: [key] }));
      for (const key of keys) await stage.refused(store, stage.claim({ keys: [key] }));
    },
  },
  {
    id: 'one-turn',
    name: 'operations of one turn take effect in the order they were called',
    async run(stage) {
      const store = await stage.store();
      const [first, second] = [stage.claim(), stage.claim()];
      const answers = await Promise.all([
        store.acquire(first),
        store.acquire(second),
        store.release(first),
        store.acquire(second),
        store.extend(first),
        store.extend(second),
      ]);
      const facts = answers.map((answer) => (typeof answer === 'boolean' ? answer : answer.granted));
      assert.deepEqual(facts, [true, false, true, true, false, true]);
    },
  },
  {
    id: 'peek',
    name: 'peek tells the state and never changes it',
    async run(stage) {
      const store = await stage.store();
      assert.deepEqual(await store.peek(stage.key()), {
        holders: 0,
        remainingMs: 0,
        waiting: 0,
        fencingToken: 0n,
      });
      const claim = stage.claim({ ttlMs: 5_000 });
      const { fencingToken } = await stage.granted(store, claim);
      await stage.refused(store, stage.claim(), { wait: true });
      for (let look = 0; look < 3; look++) {
        const state = await store.peek(stage.key());
        assert.ok(state.remainingMs > 3_000 && state.remainingMs <= 5_000);
        assert.deepEqual(
          { ...state, remainingMs: 0 },
          { holders: 1, mode: 'exclusive', remainingMs: 0, waiting: 1, fencingToken },
        );
      }
      assert.equal(await store.release(claim), true);
    },
  },
];

function pick({ holders, mode }: { holders: number; mode?: string }): object {
  return { holders, mode };
}
