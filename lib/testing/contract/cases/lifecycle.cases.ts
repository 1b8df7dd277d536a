import assert from 'node:assert/strict';
import { type DriverCase } from '../driver-case.js';
import { type DriverStage } from '../driver-stage.js';
import { expectRejection } from '../expect.js';

async function cycle(stage: DriverStage, round: number): Promise<void> {
  const driver = await stage.driver();
  const topic = stage.topic(String(round));
  const inbox = await stage.inbox(driver, topic);
  await stage.publish(driver, topic, 'm');
  await stage.received(inbox, 1);
  await Promise.all([driver.close(), driver.close(), driver.close()]);
}

/** Sockets take a moment to close. */
async function expectNoMoreHandles(stage: DriverStage, before: number): Promise<void> {
  let after = before;
  for (let look = 0; look < 20; look++) {
    after = await stage.harness.openHandles!();
    if (after <= before) return;
    await stage.quiet(20);
  }
  assert.fail(`${before} handles were open before, ${after} afterwards`);
}

/** How drivers begin and end. */
export const lifecycleCases: readonly DriverCase[] = [
  {
    id: 'capabilities',
    name: 'the driver can do what the suite was told',
    async run(stage) {
      const driver = await stage.newDriver();
      assert.deepEqual({ ...driver.capabilities[stage.guarantee] }, { ...stage.can });
      assert.ok(driver.name.length > 0, 'it has a name');
    },
  },
  {
    id: 'before-connect',
    name: 'before connect everything rejects with NotConnectedError',
    async run(stage) {
      const driver = await stage.newDriver();
      await expectRejection(stage.publish(driver, stage.topic(), 'm'), 'DISCO_NOT_CONNECTED');
      await expectRejection(stage.inbox(driver, stage.topic()), 'DISCO_NOT_CONNECTED');
      await expectRejection(driver.ping(), 'DISCO_NOT_CONNECTED');
      await driver.connect(stage.harness.context);
      await stage.publish(driver, stage.topic(), 'm');
    },
  },
  {
    id: 'after-close',
    name: 'after close everything rejects with ClosedError',
    async run(stage) {
      const driver = await stage.driver();
      await driver.close();
      await expectRejection(stage.publish(driver, stage.topic(), 'm'), 'DISCO_CLOSED');
      await expectRejection(stage.inbox(driver, stage.topic()), 'DISCO_CLOSED');
      await expectRejection(driver.ping(), 'DISCO_CLOSED');
      await expectRejection(driver.connect(stage.harness.context), 'DISCO_CLOSED');
    },
  },
  {
    id: 'connect-twice',
    name: 'connect and ping while connected change nothing',
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      await Promise.all([driver.connect(stage.harness.context), driver.connect(stage.harness.context)]);
      await driver.ping();
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 1);
      await stage.quiet();
      assert.equal(inbox.size, 1);
    },
  },
  {
    id: 'connect-retry',
    name: 'a connect that failed may be tried again',
    needs: ['unreachable'],
    async run(stage) {
      const { driver, heal } = await stage.harness.unreachable!();
      try {
        await assert.rejects(driver.connect(stage.harness.context));
        await heal();
        await driver.connect(stage.harness.context);
        await driver.ping();
      } finally {
        await driver.close();
      }
    },
  },
  {
    id: 'close-unconnected',
    name: 'a driver that was never connected can be closed',
    async run(stage) {
      const driver = await stage.newDriver();
      await driver.close();
      await driver.close();
      await expectRejection(driver.connect(stage.harness.context), 'DISCO_CLOSED');
    },
  },
  {
    id: 'close-connecting',
    name: 'close while connecting ends the driver',
    async run(stage) {
      const driver = await stage.newDriver();
      const connecting = driver.connect(stage.harness.context).catch(() => undefined);
      await driver.close();
      await connecting;
      await expectRejection(stage.publish(driver, stage.topic(), 'm'), 'DISCO_CLOSED');
    },
  },
  {
    id: 'close-unreachable',
    name: 'close while the server cannot be reached ends the connecting, for good',
    needs: ['unreachable'],
    async run(stage) {
      const { driver, heal } = await stage.harness.unreachable!();
      const told: string[] = [];
      driver.onStatus(({ type }) => told.push(type));
      let connecting = true;
      const over = () => {
        connecting = false;
      };
      driver.connect(stage.harness.context).then(over, over);
      await driver.close();
      await stage.until('the connecting to end', () => !connecting);
      await heal();
      await stage.quiet();
      assert.ok(!told.includes('connected'), 'it connected although it was closed');
      await expectRejection(stage.publish(driver, stage.topic(), 'm'), 'DISCO_CLOSED');
    },
  },
  {
    id: 'close-grace',
    name: 'close ends within the time that it is given, whatever is under way',
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { handler: () => undefined });
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 1);
      let closed = false;
      void driver.close(50).then(() => {
        closed = true;
      });
      await stage.until('the driver to be closed', () => closed);
    },
  },
  {
    id: 'close-ends-all',
    name: 'close ends all subscriptions of the driver, and only of that one',
    needs: ['shared broker'],
    async run(stage) {
      const [closing, staying] = [await stage.driver(), await stage.driver()];
      const ended = await stage.inbox(closing, stage.topic(), { group: 'ended' });
      const kept = await stage.inbox(staying, stage.topic(), { group: 'kept' });
      await Promise.all([closing.close(), closing.close()]);
      await stage.publish(staying, stage.topic(), 'm');
      await stage.received(kept, 1);
      await stage.quiet();
      assert.equal(ended.size, 0);
      await ended.close();
    },
  },
  {
    id: 'no-handles',
    name: 'close leaves no timer, socket or listener',
    needs: ['openHandles'],
    async run(stage) {
      await cycle(stage, 0);
      const before = await stage.harness.openHandles!();
      for (let round = 1; round <= 5; round++) {
        const driver = await stage.driver();
        const inbox = await stage.inbox(driver, stage.topic(String(round)), { handler: () => undefined });
        const options = stage.can.delay ? { delayMs: 60_000 } : {};
        await stage.publish(driver, stage.topic(String(round)), 'm');
        await stage.publish(driver, stage.topic(String(round)), 'late', options);
        await stage.received(inbox, 1);
        if (stage.durable) await inbox.deliveries[0].retry(60_000);
        await driver.close();
      }
      await expectNoMoreHandles(stage, before);
    },
  },
  {
    id: 'A17',
    name: 'connect, subscribe, publish and close in a loop, close called three times at once',
    async run(stage) {
      const rounds = stage.size(200, 20);
      for (let round = 0; round < rounds; round++) await cycle(stage, round);
    },
  },
  {
    id: 'abort',
    name: 'an aborted publish rejects with AbortedError and is not delivered',
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      const signal = AbortSignal.abort();
      await expectRejection(stage.publish(driver, stage.topic(), 'withdrawn', { signal }), 'DISCO_ABORTED');
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 1);
      await stage.quiet();
      assert.deepEqual(inbox.texts, ['m']);
    },
  },
  {
    id: 'status-listener',
    name: 'status listeners are told until they are removed; one that throws harms nobody',
    async run(stage) {
      const driver = await stage.newDriver();
      const told: string[] = [];
      const removed: string[] = [];
      const remove = driver.onStatus(({ type }) => removed.push(type));
      driver.onStatus(() => {
        throw new Error('thrown by the contract suite');
      });
      driver.onStatus(({ type }) => told.push(type));
      remove();
      await driver.connect(stage.harness.context);
      await stage.until('told that it is connected', () => told.includes('connected'));
      assert.deepEqual(removed, []);
    },
  },
];
