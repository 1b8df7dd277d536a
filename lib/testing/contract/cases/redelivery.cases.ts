import assert from 'node:assert/strict';
import { type DriverCase } from '../driver-case.js';
import { expectOnceEach } from '../expect.js';
import { type Inbox, leaveUnsettled } from '../inbox.js';
import { texts } from './subscription.cases.js';

const attempts = (inbox: Inbox) => inbox.deliveries.map(({ attempt }) => attempt);

/** What comes back when a subscription, a driver or a process has gone, and what does not. */
export const redeliveryCases: readonly DriverCase[] = [
  {
    id: 'settle-again-later',
    name: 'settling again, after the frame came back, does nothing to the new attempt',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), {
        handler: (delivery) => (delivery.attempt === 1 ? delivery.retry(0) : undefined),
      });
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 2);
      await inbox.deliveries[0].ack();
      await inbox.close();
      const next = await stage.inbox(driver, stage.topic());
      await stage.received(next, 1);
      assert.deepEqual(attempts(next), [3]);
    },
  },
  {
    id: 'acked',
    name: 'what was acknowledged does not come back, not even to the next member',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      await stage.publishAll(driver, stage.topic(), texts('m', 10));
      await stage.received(inbox, 10);
      await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()));
      await inbox.close();
      const next = await stage.inbox(driver, stage.topic());
      await stage.quiet(stage.harness.visibilityMs! * 2 + 50);
      assert.equal(next.size, 0);
    },
  },
  {
    id: 'redelivery',
    name: 'what a closed subscription left unsettled comes back with the next attempt after the visibility time',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const first = await stage.inbox(subscriber, stage.topic(), { handler: leaveUnsettled });
      await stage.publishAll(publisher, stage.topic(), texts('m', 3));
      await stage.received(first, 3);
      await first.close();
      const next = await stage.inbox(subscriber, stage.topic());
      await stage.received(next, 3);
      await stage.quiet();
      expectOnceEach(next.texts, texts('m', 3), 'redelivered');
      assert.deepEqual(attempts(next), [2, 2, 2]);
    },
  },
  {
    id: 'kept-while-open',
    name: 'what an open subscription works on is not redelivered, however long it takes',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const working = await stage.inbox(subscriber, stage.topic(), { handler: leaveUnsettled });
      await stage.publish(publisher, stage.topic(), 'm');
      await stage.received(working, 1);
      const idle = await stage.inbox(await stage.driver(), stage.topic());
      await stage.quiet(stage.harness.visibilityMs! * 3);
      await working.deliveries[0].ack();
      await stage.quiet();
      assert.deepEqual([working.size, idle.size], [1, 0]);
    },
  },
  {
    id: 'settle-after-close',
    name: 'deliveries in flight can still be settled when their subscription has closed',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { handler: leaveUnsettled });
      await stage.publishAll(driver, stage.topic(), texts('m', 3));
      await stage.received(inbox, 3);
      await inbox.close();
      await inbox.deliveries[0].ack();
      await inbox.deliveries[1].deadLetter({ reason: 'terminated' });
      await inbox.deliveries[2].retry(0);
      const next = await stage.inbox(driver, stage.topic());
      await stage.received(next, 1);
      await stage.quiet(stage.harness.visibilityMs! * 2 + 50);
      expectOnceEach(next.texts, [inbox.texts[2]], 'came back');
    },
  },
  {
    id: 'late-settle',
    name: 'settling what another member has taken over does nothing',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const first = await stage.inbox(driver, stage.topic(), { handler: leaveUnsettled });
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(first, 1);
      await first.close();
      const second = await stage.inbox(driver, stage.topic(), { handler: leaveUnsettled });
      await stage.received(second, 1);
      await first.deliveries[0].ack();
      await first.deliveries[0].retry(0);
      await stage.quiet();
      assert.equal(second.size, 1, 'a late retry acted');
      await second.close();
      const third = await stage.inbox(driver, stage.topic());
      await stage.received(third, 1);
      assert.deepEqual(attempts(third), [3]);
    },
  },
  {
    id: 'closed-driver',
    name: 'what a closed driver left unsettled goes to another member',
    needs: ['settlement', 'shared broker'],
    async run(stage) {
      const [leaving, staying] = [await stage.driver(), await stage.driver()];
      const first = await stage.inbox(leaving, stage.topic(), { handler: leaveUnsettled });
      await stage.publishAll(staying, stage.topic(), texts('m', 5));
      await stage.received(first, 5);
      const next = await stage.inbox(staying, stage.topic());
      await leaving.close();
      await stage.received(next, 5);
      await stage.quiet();
      expectOnceEach(next.texts, texts('m', 5), 'taken over');
      assert.deepEqual(attempts(next), [2, 2, 2, 2, 2]);
    },
  },
  {
    id: 'dead-member',
    name: "a dead member's frames are claimed by the others",
    needs: ['settlement', 'shared broker', 'kill'],
    async run(stage) {
      const [dying, staying] = [await stage.driver(), await stage.driver()];
      const first = await stage.inbox(dying, stage.topic(), { handler: leaveUnsettled });
      await stage.publishAll(staying, stage.topic(), texts('m', 5));
      await stage.received(first, 5);
      const next = await stage.inbox(staying, stage.topic());
      await stage.harness.kill!(dying);
      await stage.received(next, 5);
      expectOnceEach(next.texts, texts('m', 5), 'claimed');
    },
  },
];
