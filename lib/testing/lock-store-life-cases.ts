import assert from 'node:assert/strict';
import { expectRejection } from './contract/expect.js';
import { type LockStoreCase } from './lock-store-case.js';

/** Connecting and closing. */
export const lockLifeCases: readonly LockStoreCase[] = [
  {
    id: 'not-connected',
    name: 'before connect, everything is refused as not connected',
    async run(stage) {
      const store = await stage.newStore();
      const claim = stage.claim();
      await expectRejection(store.acquire(claim), 'DISCO_NOT_CONNECTED');
      await expectRejection(store.extend(claim), 'DISCO_NOT_CONNECTED');
      await expectRejection(store.release(claim), 'DISCO_NOT_CONNECTED');
      await expectRejection(store.peek(stage.key()), 'DISCO_NOT_CONNECTED');
    },
  },
  {
    id: 'closed',
    name: 'after close, everything is refused as closed, and closing again does nothing',
    async run(stage) {
      const store = await stage.store();
      await Promise.all([store.close(), store.close()]);
      await store.close();
      const claim = stage.claim();
      await expectRejection(store.acquire(claim), 'DISCO_CLOSED');
      await expectRejection(store.extend(claim), 'DISCO_CLOSED');
      await expectRejection(store.release(claim), 'DISCO_CLOSED');
      await expectRejection(store.peek(stage.key()), 'DISCO_CLOSED');
      await expectRejection(store.connect(), 'DISCO_CLOSED');
    },
  },
  {
    id: 'connect-again',
    name: 'connecting again while connected does nothing',
    async run(stage) {
      const store = await stage.store();
      const claim = stage.claim();
      await stage.granted(store, claim);
      await Promise.all([store.connect(), store.connect()]);
      assert.equal(await store.release(claim), true);
    },
  },
  {
    id: 'close-keeps',
    name: 'what a closed store held stays held until its time is over',
    async run(stage) {
      const [leaving, staying] = [await stage.store(), await stage.store()];
      await stage.granted(leaving, stage.claim({ ttlMs: 200 }));
      await leaving.close();
      await stage.refused(staying, stage.claim());
      await stage.elapse(230);
      await stage.granted(staying, stage.claim());
    },
  },
  {
    id: 'no-leak',
    name: 'close leaves no timer, socket or listener, also when somebody waits',
    needs: ['openHandles'],
    async run(stage) {
      const keeper = await stage.store();
      await stage.granted(keeper, stage.claim());
      const before = await stage.harness.openHandles!();
      for (let round = 0; round < 5; round++) {
        const store = await stage.store();
        await stage.refused(store, stage.claim(), { wait: true });
        await store.close();
      }
      const deadline = performance.now() + 5_000;
      while ((await stage.harness.openHandles!()) > before) {
        assert.ok(performance.now() < deadline, 'something is left open');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  },
];
