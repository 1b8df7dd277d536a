import assert from 'node:assert/strict';
import { type LockStoreCase } from './lock-store-case.js';

/** Who comes next. */
export const lockQueueCases: readonly LockStoreCase[] = [
  {
    id: 'hand-over',
    name: 'a released lock goes to the one who waits, who is told',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const [holder, waiter] = [stage.claim(), stage.claim()];
      const { fencingToken } = await stage.granted(store, holder);
      const next = stage.eventually(other, waiter);
      await stage.queued(store, 1);
      await store.release(holder);
      assert.ok((await next) > fencingToken);
      await stage.refused(store, stage.claim());
      assert.equal(await other.release(waiter), true);
    },
  },
  {
    id: 'hand-over-order',
    name: 'those who wait are served in the order they came, each after the other',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const holder = stage.claim();
      await stage.granted(store, holder);
      const served: number[] = [];
      const waiters = [];
      for (let place = 0; place < 6; place++) {
        const [claim, its] = [stage.claim(), place % 2 ? store : other];
        const done = stage.eventually(its, claim).then(() => {
          served.push(place);
          return its.release(claim);
        });
        waiters.push(stage.heeded(done));
        await stage.queued(store, place + 1);
      }
      await stage.elapse(20);
      await store.release(holder);
      assert.deepEqual(await Promise.all(waiters), Array(6).fill(true));
      assert.deepEqual(served, [0, 1, 2, 3, 4, 5]);
    },
  },
  {
    id: 'hand-over-age',
    name: 'a pushed grant says how old it may be and how long it is for',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const [holder, waiter] = [stage.claim(), stage.claim({ ttlMs: 3_000 })];
      await stage.granted(store, holder);
      await stage.refused(other, waiter, { wait: true });
      await stage.elapse(50);
      await stage.refused(other, waiter, { wait: true });
      await store.release(holder);
      const grant = (await stage.hintFor(waiter))?.grant;
      if (grant === undefined) return;
      assert.ok(grant.ageMs >= 0 && grant.ageMs < 2_000, `age ${grant.ageMs}`);
      assert.ok(grant.ttlMs > 0 && grant.ttlMs <= 3_000, `ttl ${grant.ttlMs}`);
      assert.equal((await store.peek(stage.key())).fencingToken, grant.fencingToken);
    },
  },
  {
    id: 'no-overtaking',
    name: 'a new claim does not overtake those who wait when the holder runs out',
    async run(stage) {
      const store = await stage.store();
      await stage.granted(store, stage.claim({ ttlMs: 150 }));
      const waiter = stage.claim();
      await stage.refused(store, waiter, { wait: true });
      await stage.elapse(20);
      await stage.refused(store, waiter, { wait: true });
      await stage.elapse(200);
      const barger = stage.claim();
      const answer = await store.acquire(barger);
      if (answer.granted) assert.equal((await store.peek(stage.key())).waiting, 0, 'it overtook a waiter');
      else await stage.eventually(store, waiter);
    },
  },
  {
    id: 'give-up',
    name: 'who gave up waiting is not served, and leaves nothing behind',
    needs: ['traces'],
    async run(stage) {
      const store = await stage.store();
      const before = await stage.harness.traces!();
      const [holder, quitter, patient] = [stage.claim(), stage.claim(), stage.claim()];
      await stage.granted(store, holder);
      await stage.refused(store, quitter, { wait: true });
      const next = stage.eventually(store, patient);
      await stage.queued(store, 2);
      assert.equal(await store.release(quitter), false);
      await store.release(holder);
      await next;
      assert.equal(stage.hintsFor(quitter).filter(({ grant }) => grant).length, 0);
      await store.release(patient);
      assert.equal(await stage.harness.traces!(), before);
    },
  },
  {
    id: 'give-up-early',
    name: 'a claim that is given up before it is answered leaves nothing behind',
    needs: ['traces'],
    async run(stage) {
      const [keeper, before] = [await stage.store(), await stage.harness.traces!()];
      const holder = stage.claim();
      await stage.granted(keeper, holder);
      for (const wait of [true, true, false]) {
        const [store, quitter] = [await stage.store(), stage.claim()];
        const answer = stage.heeded(store.acquire(quitter, { wait }));
        assert.equal(await store.release(quitter), false);
        assert.equal((await answer).granted, false);
        assert.equal((await keeper.peek(stage.key())).waiting, 0, 'who gave up is queued');
      }
      await keeper.release(holder);
      const [free, store] = [stage.claim(), await stage.store()];
      const answer = stage.heeded(store.acquire(free, { wait: true }));
      assert.equal(await store.release(free), true);
      await answer;
      await stage.elapse(20);
      assert.equal(await stage.harness.traces!(), before);
    },
  },
  {
    id: 'gone',
    name: 'a waiter whose store closed does not hold up the others',
    async run(stage) {
      const [store, other, leaving] = [await stage.store(), await stage.store(), await stage.store()];
      const [holder, gone, patient] = [stage.claim(), stage.claim(), stage.claim()];
      await stage.granted(store, holder);
      await stage.refused(leaving, gone, { wait: true });
      await leaving.close();
      const next = stage.eventually(other, patient);
      await stage.queued(store, 2);
      await stage.elapse(30);
      await store.release(holder);
      await next;
    },
  },
  {
    id: 'writer',
    name: 'readers who come later wait behind a writer',
    async run(stage) {
      const store = await stage.store();
      const [reader, writer, late] = [stage.shared(), stage.claim(), stage.shared()];
      await stage.granted(store, reader);
      const order: string[] = [];
      const written = stage.heeded(stage.eventually(store, writer).then(() => order.push('writer')));
      await stage.queued(store, 1);
      await stage.refused(store, stage.shared());
      const read = stage.heeded(stage.eventually(store, late).then(() => order.push('late reader')));
      await stage.queued(store, 2);
      await store.release(reader);
      await written;
      assert.equal((await store.peek(stage.key())).mode, 'exclusive');
      await store.release(writer);
      await read;
      assert.deepEqual(order, ['writer', 'late reader']);
    },
  },
  {
    id: 'readers-together',
    name: 'readers who wait behind a writer are all let in when it leaves',
    async run(stage) {
      const store = await stage.store();
      const writer = stage.claim();
      await stage.granted(store, writer);
      const readers = Array.from({ length: 5 }, () => stage.shared());
      const read = readers.map((reader) => stage.eventually(store, reader));
      await stage.queued(store, 5);
      await store.release(writer);
      await Promise.all(read);
      assert.equal((await store.peek(stage.key())).holders, 5);
    },
  },
  {
    id: 'permit-queue',
    name: 'a permit given back goes to the one who waits',
    async run(stage) {
      const store = await stage.store();
      const holders = [stage.shared(2), stage.shared(2)];
      for (const holder of holders) await stage.granted(store, holder);
      const [first, second] = [stage.shared(2), stage.shared(2)];
      const one = stage.eventually(store, first);
      await stage.queued(store, 1);
      const two = stage.eventually(store, second);
      await stage.queued(store, 2);
      await store.release(holders[0]);
      await one;
      assert.equal((await store.peek(stage.key())).holders, 2);
      await store.release(holders[1]);
      await two;
    },
  },
  {
    id: 'several-wait',
    name: 'a claim of several keys waits for each in turn, keeps what it has, and gives it back when it gives up',
    async run(stage) {
      const store = await stage.store();
      const [a, b] = ['{t}:a', '{t}:b'].map((more) => stage.key(more));
      const [one, two] = [stage.claim({ keys: [a] }), stage.claim({ keys: [b] })];
      const [both, quitter] = [stage.claim({ keys: [a, b] }), stage.claim({ keys: [a, b] })];
      const before = [await stage.granted(store, one), await stage.granted(store, two)];
      const waiting = stage.eventually(store, both);
      await stage.queued(store, 1, a);
      await store.release(one);
      await stage.queued(store, 1, b);
      await stage.refused(store, stage.claim({ keys: [a] }));
      assert.equal(await store.extend(both), false);
      await store.release(two);
      const token = await waiting;
      for (const { fencingToken } of before) assert.ok(token > fencingToken);
      assert.equal(await store.release(both), true);
      await stage.granted(store, two);
      await stage.refused(store, quitter, { wait: true });
      await stage.refused(store, stage.claim({ keys: [a] }));
      assert.equal(await store.release(quitter), false);
      await stage.granted(store, stage.claim({ keys: [a] }));
    },
  },
  {
    id: 'several-cross',
    name: 'claims of several keys that cross each other all come to their turn',
    async run(stage) {
      const stores = [await stage.store(), await stage.store()];
      const [a, b, c] = ['{t}:a', '{t}:b', '{t}:c'].map((more) => stage.key(more));
      const sets = [[a, b, c], [a, c], [b, c], [a], [a, b]];
      const work = Array.from({ length: 25 }, async (_, index) => {
        const [store, claim] = [stores[index % 2], stage.claim({ keys: sets[index % sets.length] })];
        await stage.eventually(store, claim);
        assert.equal(await store.release(claim), true);
      });
      await Promise.all(work);
    },
  },
  {
    id: 'succession',
    name: 'a holder passes the lock on, ahead of the queue and with a larger fencing token',
    async run(stage) {
      const [store, other] = [await stage.store(), await stage.store()];
      const [holder, heir, waiter] = [stage.claim(), stage.claim(), stage.claim()];
      const first = await stage.granted(store, holder);
      await stage.refused(other, waiter, { wait: true });
      const passed = await stage.granted(store, heir, { succeeds: holder.token });
      assert.equal(passed.succeeded, true);
      assert.ok(passed.fencingToken > first.fencingToken);
      assert.equal(await store.release(holder), false);
      assert.equal(await store.release(heir), true);
      await stage.eventually(other, waiter);
    },
  },
  {
    id: 'succession-lost',
    name: 'nothing is passed on by a holder who lost the lock',
    async run(stage) {
      const store = await stage.store();
      const [lost, owner] = [stage.claim(), stage.claim()];
      await stage.granted(store, lost);
      await store.release(lost);
      await stage.granted(store, owner);
      const answer = await stage.refused(store, stage.claim(), { succeeds: lost.token });
      assert.equal(answer.succeeded, false);
      await store.release(owner);
      const free = await stage.granted(store, stage.claim(), { succeeds: owner.token });
      assert.equal(free.succeeded, false);
    },
  },
];
