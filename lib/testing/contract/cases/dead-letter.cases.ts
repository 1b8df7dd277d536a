import assert from 'node:assert/strict';
import { type DeadLetterStore, offersDeadLetters } from '../../../driver/dead-letters.js';
import type { Delivery } from '../../../driver/delivery.js';
import type { DriverCase } from '../driver-case.js';
import type { DriverStage } from '../driver-stage.js';
import { expectRejection } from '../expect.js';

/** What operators do with dead letters. */
export const deadLetterCases: readonly DriverCase[] = [
  {
    id: 'dead-letter-edit',
    name: 'a dead letter is looked up by its position, and comes back with other bytes; one of several messages does not',
    needs: ['inspection', 'settlement', 'groups', 'parts'],
    async run(stage) {
      const driver = await stage.driver();
      assert.ok(offersDeadLetters(driver), 'its dead letters cannot be looked at');
      const topic = stage.topic();
      const isNew = (delivery: Delivery) => Buffer.from(delivery.frame).toString() === 'edited';
      const handler = (delivery: Delivery) =>
        isNew(delivery) ? delivery.ack() : delivery.deadLetter({ reason: 'attempts' });
      const inbox = await stage.inbox(driver, topic, { maxInFlight: 1, handler });
      const other = await stage.inbox(driver, topic, { group: 'other' });
      await stage.publish(driver, topic, 'poison');
      await stage.publish(driver, topic, 'bundle', { messages: 3 });
      await stage.received(inbox, 2);
      const store = await driver.deadLetters(topic, 'contract');
      await counted(stage, store, 2);
      const [one, several] = await store.list({ limit: 10 });
      assert.equal(one.messages ?? 1, 1);
      assert.equal(several.messages, 3, 'it does not say that it holds several messages');
      const found = await store.list({ at: several.position, limit: 10 });
      assert.deepEqual(
        found.map(({ position }) => position),
        [several.position],
      );
      const edited = Buffer.from('edited');
      await expectRejection(store.replay(several.position, edited), 'DISCO_CONFIGURATION');
      assert.equal(await store.count(), 2, 'a letter that was not replayed is gone');
      assert.equal(await store.replay(one.position, edited), true);
      assert.equal(await store.replay(one.position, edited), false);
      assert.deepEqual(await store.list({ at: one.position, limit: 10 }), []);
      await stage.received(inbox, 3);
      const last = inbox.deliveries.at(-1)!;
      assert.equal(Buffer.from(last.frame).toString(), 'edited');
      assert.equal(last.attempt, 1, 'it is no first attempt');
      await stage.quiet();
      assert.equal(other.deliveries.length, 2, 'another group got it as well');
      assert.equal(await store.count(), 1);
    },
  },
];

async function counted(stage: DriverStage, store: DeadLetterStore, count: number): Promise<void> {
  let letters = 0;
  const look = async () => {
    letters = await store.count();
  };
  for (let turn = 0; turn < 50 && letters !== count; turn++) {
    await look();
    if (letters !== count) await stage.quiet(20);
  }
  assert.equal(letters, count, `there are ${letters} dead letters`);
}
