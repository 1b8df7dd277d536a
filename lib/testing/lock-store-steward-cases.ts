import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import {
  forcedReleaseOf,
  type LockInspection,
  lockInspectionOf,
  OWNER_TAG_DIGITS,
} from '../driver/lock-inspection.js';
import { type LockClaim, type LockStore } from '../driver/lock-store.js';
import { type LockStoreCase } from './lock-store-case.js';
import { type LockStoreStage } from './lock-store-stage.js';

/** What operators see of locks, and do to them. */
export const lockStewardCases: readonly LockStoreCase[] = [
  {
    id: 'inspect',
    name: 'a lock tells how it is held, by whom, since and until when, and how many wait',
    needs: ['inspection'],
    async run(stage) {
      const [one, two] = [await stage.store(), await stage.store()];
      const see = (key: string) => lockInspectionOf(two).inspect(key);
      const tag = tagOf(one);
      const [exclusive, read, counted] = ['', ':read', ':counted'].map((more) => [stage.key(more)]);
      assert.deepEqual(stateOf(await see(exclusive[0])), { holders: 0, waiting: 0 });
      const { fencingToken } = await stage.granted(one, tagged(stage.claim({ keys: exclusive }), tag));
      await stage.refused(two, stage.claim({ keys: exclusive }), { wait: true });
      const held = await known(stage, () => see(exclusive[0]));
      assert.deepEqual(stateOf(held), { mode: 'exclusive', holders: 1, waiting: 1 });
      assert.equal(held.fencingToken, fencingToken);
      assert.ok(held.remainingMs > 5_000 && held.remainingMs <= 10_000, `${held.remainingMs} ms remain`);
      const [holder] = held.holders;
      assert.equal(holder.owner?.host, hostname());
      assert.equal(holder.owner?.pid, process.pid);
      const heldMs = holder.until - (holder.since ?? holder.until - 10_000);
      assert.ok(Math.abs(heldMs - 10_000) < 1_000, `it is held for ${heldMs} ms`);
      for (let count = 0; count < 2; count++) await stage.granted(one, stage.shared(0, { keys: read }));
      await stage.granted(one, stage.shared(3, { keys: counted }));
      await stage.granted(two, stage.shared(3, { keys: counted }));
      assert.deepEqual(stateOf(await see(read[0])), { mode: 'read', holders: 2, waiting: 0 });
      assert.deepEqual(stateOf(await see(counted[0])), {
        mode: 'semaphore',
        permits: 3,
        holders: 2,
        waiting: 0,
      });
      const stranger = (await see(read[0])).holders[0];
      assert.equal(stranger.owner, undefined, 'a claim of nobody known has an owner');
    },
  },
  {
    id: 'list',
    name: 'locks that are held are listed by a pattern, page by page, and those that are not held are not',
    needs: ['inspection'],
    async run(stage) {
      const [one, two] = [await stage.store(), await stage.store()];
      const names = [':a', ':b', ':{tag}:c', ':%7B', ':}d'].map((more) => stage.key(more));
      const claims = names.map((key) => stage.claim({ keys: [key] }));
      for (const claim of claims) await stage.granted(one, claim);
      await stage.granted(two, stage.claim({ keys: [`other:${stage.key()}`] }));
      const match = `${stage.key()}:*`;
      assert.deepEqual(await listed(two, match), [...names].sort());
      await one.release(claims[0]);
      await one.release(claims[3]);
      const left = names.filter((_, index) => index !== 0 && index !== 3).sort();
      assert.deepEqual(await listed(two, match), left);
      assert.deepEqual(await listed(two, `${stage.key()}:b`), [names[1]]);
    },
  },
  {
    id: 'force',
    name: 'a lock that is taken away goes to the next of the queue, with a larger fencing token',
    needs: ['forcedRelease'],
    async run(stage) {
      const [one, two, operator] = [await stage.store(), await stage.store(), await stage.store()];
      const claim = stage.claim();
      assert.equal(await forcedReleaseOf(operator).forceRelease(stage.key()), 0, 'nobody held it');
      const { fencingToken, spareTokens = 0 } = await stage.granted(one, claim);
      const next = stage.eventually(two, stage.claim());
      await stage.queued(operator, 1);
      assert.equal(await forcedReleaseOf(operator).forceRelease(stage.key()), 1);
      assert.ok((await next) > fencingToken + BigInt(spareTokens), 'the fencing token did not rise');
      assert.equal(await one.release(claim), false, 'the former holder released what it had lost');
      await stage.refused(one, stage.claim());
    },
  },
  {
    id: 'force-holder',
    name: 'who lost a lock by force can neither extend nor release it, and is told once it has extended it',
    needs: ['forcedRelease'],
    async run(stage) {
      const [one, operator] = [await stage.store(), await stage.store()];
      const claim = tagged(stage.claim(), tagOf(one));
      await stage.granted(one, claim);
      await stage.elapse(50);
      assert.equal(await one.extend(claim), true);
      await stage.elapse(100);
      assert.equal(await forcedReleaseOf(operator).forceRelease(stage.key()), 1);
      assert.equal(await one.extend(claim), false, 'it extended what it had lost');
      assert.equal((await operator.peek(stage.key())).holders, 0);
      assert.equal((await stage.hintFor(claim))?.lost, true, 'it was not told');
    },
  },
  {
    id: 'force-semaphore',
    name: 'of a semaphore all lose it, and as many of the queue as there is room for get it',
    needs: ['forcedRelease'],
    async run(stage) {
      const [one, operator] = [await stage.store(), await stage.store()];
      for (let count = 0; count < 2; count++) await stage.granted(one, stage.shared(2));
      const waiting = [stage.shared(2), stage.shared(2)].map((claim) => stage.eventually(one, claim));
      await stage.queued(operator, 2);
      assert.equal(await forcedReleaseOf(operator).forceRelease(stage.key()), 2);
      await Promise.all(waiting);
      assert.equal((await operator.peek(stage.key())).holders, 2);
    },
  },
];

function tagOf(store: LockStore): string {
  const tag = randomBytes(OWNER_TAG_DIGITS / 2).toString('hex');
  lockInspectionOf(store).introduce(tag);
  return tag;
}

function tagged(claim: LockClaim, tag: string): LockClaim {
  return { ...claim, token: tag + claim.token.slice(tag.length) };
}

function stateOf({ mode, permits, holders, waiting }: LockInspection): object {
  const told = { holders: holders.length, waiting };
  return { ...(mode && { mode }), ...(permits !== undefined && { permits }), ...told };
}

/** The lock once its holder is known, which may take a moment. */
async function known(stage: LockStoreStage, see: () => Promise<LockInspection>): Promise<LockInspection> {
  for (let count = 0; count < 20; count++) {
    const lock = await see();
    if (lock.holders[0]?.owner !== undefined) return lock;
    await stage.elapse(50);
  }
  return assert.fail('whose the lock is never became known');
}

async function listed(store: LockStore, match: string): Promise<string[]> {
  const keys = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await lockInspectionOf(store).list({ match, limit: 2, cursor });
    for (const { key, holders } of page.locks) {
      assert.ok(holders.length > 0, `"${key}" is listed and nobody holds it`);
      keys.add(key);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return [...keys].sort();
}
