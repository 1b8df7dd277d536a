import assert from 'node:assert/strict';
import { offersDeadLetters } from '../../../driver/dead-letters.js';
import { type DeadLettered, type MessagesExpired } from '../../../driver/driver-status.js';
import { type DriverCase } from '../driver-case.js';
import { texts } from './subscription.cases.js';

/** What a driver gives up itself, and how it is told. */
export const givenUpCases: readonly DriverCase[] = [
  {
    id: 'expired',
    name: 'what was dropped for its time to live is told, each message once, and nothing else is',
    needs: ['settlement', 'backlog', 'groups'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const [topic, told] = [stage.topic(), [] as MessagesExpired[]];
      subscriber.onStatus((status) => status.type === 'expired' && told.push(status));
      for (const text of texts('short', 3)) await stage.publish(publisher, topic, text, { ttlMs: 100 });
      await stage.publish(publisher, topic, 'long', { ttlMs: 60_000 });
      await stage.quiet(150);
      const inbox = await stage.inbox(subscriber, topic, {
        handler: (delivery) =>
          Buffer.from(delivery.frame).toString() === 'again' ? delivery.retry(300) : delivery.ack(),
      });
      await stage.received(inbox, 1);
      const sum = () => told.reduce((messages, each) => messages + each.messages, 0);
      await stage.until('the status of those in the backlog', () => sum() === 3);
      await stage.publish(publisher, topic, 'again', { ttlMs: 200 });
      await stage.received(inbox, 2);
      await stage.until('the status of the one that was to be tried again', () => sum() === 4);
      await stage.quiet(200);
      assert.deepEqual([inbox.texts, sum()], [['long', 'again'], 4]);
      for (const each of told)
        assert.deepEqual(
          { ...each, messages: 0 },
          { type: 'expired', topic, group: 'contract', messages: 0 },
        );
    },
  },
  {
    id: 'crashed-out',
    name: 'what too many processes died of is kept as a dead letter, and that is told',
    needs: ['settlement', 'groups', 'shared broker', 'kill', 'maxCrashes'],
    async run(stage) {
      const [staying, topic, told] = [await stage.driver(), stage.topic(), [] as DeadLettered[]];
      let kept: Promise<number> | undefined;
      staying.onStatus((status) => {
        if (status.type !== 'dead-letter') return;
        told.push(status);
        if (offersDeadLetters(staying))
          kept = Promise.resolve(staying.deadLetters(topic, 'contract')).then((letters) => letters.count());
      });
      await stage.publish(staying, topic, 'm');
      for (let deaths = 0; deaths < stage.harness.maxCrashes!; deaths++) {
        const dying = await stage.driver();
        const inbox = await stage.inbox(dying, topic, { handler: (delivery) => delivery.begin?.() });
        await stage.received(inbox, 1);
        await stage.harness.kill!(dying);
      }
      const inbox = await stage.inbox(staying, topic);
      await stage.until('the status of the dead letter', () => told.length > 0);
      await stage.quiet();
      assert.deepEqual(told, [
        { type: 'dead-letter', topic, group: 'contract', reason: 'crashes', letters: 1 },
      ]);
      assert.equal(inbox.size, 0, 'it was handed out once more');
      assert.equal((await kept) ?? 1, 1, 'it was told before it was kept');
    },
  },
];
