import assert from 'node:assert/strict';
import { offersDeadLetters } from '../../../driver/dead-letters.js';
import { type Delivery } from '../../../driver/delivery.js';
import { type DriverCase } from '../driver-case.js';
import { expectAll, expectOnceEach } from '../expect.js';
import { type Inbox, leaveUnsettled } from '../inbox.js';
import { texts } from './subscription.cases.js';

const attempts = (inbox: Inbox) => inbox.deliveries.map(({ attempt }) => attempt);
const onFirst = (settle: (delivery: Delivery) => unknown) => ({
  handler: (delivery: Delivery) => (delivery.attempt === 1 ? settle(delivery) : delivery.ack()),
});

/** What settling does. */
export const settlementCases: readonly DriverCase[] = [
  {
    id: 'retry',
    name: 'retry brings the frame back with the next attempt',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const handler = (delivery: Delivery) => (delivery.attempt < 4 ? delivery.retry(0) : delivery.ack());
      const inbox = await stage.inbox(driver, stage.topic(), { handler });
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 4);
      await stage.quiet();
      assert.deepEqual(attempts(inbox), [1, 2, 3, 4]);
      expectAll(inbox.texts, ['m'], 'the same frame');
    },
  },
  {
    id: 'retry-delay',
    name: 'retry with a delay brings it back afterwards, not before, and others go on meanwhile',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const arrivals: number[] = [];
      const handler = (delivery: Delivery) => {
        if (Buffer.from(delivery.frame).toString() !== 'm') return delivery.ack();
        arrivals.push(stage.now());
        return delivery.attempt === 1 ? delivery.retry(200) : delivery.ack();
      };
      const inbox = await stage.inbox(driver, stage.topic(), { handler, maxInFlight: 1 });
      await stage.publishAll(driver, stage.topic(), ['m', 'other']);
      await stage.received(inbox, 3);
      assert.deepEqual(inbox.texts, ['m', 'other', 'm']);
      const waitedMs = arrivals[1] - arrivals[0];
      assert.ok(waitedMs >= 198, `came back after ${waitedMs} of 200 ms`);
    },
  },
  {
    id: 'retry-one-group',
    name: 'a retry is seen by its own group only',
    needs: ['settlement', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const other = await stage.inbox(driver, stage.topic(), { group: 'other' });
      const failing = await stage.inbox(driver, stage.topic(), {
        group: 'failing',
        ...onFirst((delivery) => delivery.retry(0)),
      });
      await stage.publish(driver, stage.topic(), 'm');
      await Promise.all([stage.received(failing, 2), stage.received(other, 1)]);
      await stage.quiet();
      assert.deepEqual([attempts(failing), attempts(other)], [[1, 2], [1]]);
    },
  },
  {
    id: 'release',
    name: 'a released frame comes back after its delay, whole or a part of a bundle, and counts a wait, not an attempt',
    needs: ['settlement', 'release'],
    async run(stage) {
      const driver = await stage.driver();
      const part = { index: 1, frame: new TextEncoder().encode('part-1') };
      const arrivals: number[] = [];
      const inbox = await stage.inbox(driver, stage.topic(), {
        async handler(delivery) {
          arrivals.push(stage.now());
          if (delivery.attempt > 1) return delivery.ack();
          if ((delivery.waits ?? 0) > 0) return delivery.retry(0);
          if (Buffer.from(delivery.frame).toString() === 'whole') return delivery.release!(100);
          await delivery.release!(0, part);
          return delivery.ack();
        },
      });
      await stage.publish(driver, stage.topic(), 'whole');
      await stage.received(inbox, 3);
      await stage.publish(driver, stage.topic(), 'bundle');
      await stage.received(inbox, 6);
      await stage.quiet();
      const told = inbox.deliveries.map(({ attempt, waits = 0, crashes = 0 }) => [attempt, waits, crashes]);
      const each = [
        [1, 0, 0],
        [1, 1, 0],
        [2, 1, 0],
      ];
      assert.deepEqual(told, [...each, ...each]);
      assert.deepEqual(inbox.texts, ['whole', 'whole', 'whole', 'bundle', 'part-1', 'part-1']);
      const waitedMs = arrivals[1] - arrivals[0];
      assert.ok(waitedMs >= 98, `came back after ${waitedMs} of 100 ms`);
    },
  },
  {
    id: 'second-settle',
    name: 'the first settlement counts; later ones do nothing',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const settleTwice: Record<string, (delivery: Delivery) => unknown> = {
        'ack, retry': (delivery) => Promise.all([delivery.ack(), delivery.retry(0)]),
        'retry, ack': (delivery) => Promise.all([delivery.retry(0), delivery.ack()]),
        'retry, retry': (delivery) => Promise.all([delivery.retry(0), delivery.retry(0)]),
        'retry, deadLetter': (delivery) =>
          Promise.all([delivery.retry(0), delivery.deadLetter({ reason: 'terminated' })]),
      };
      const handler = (delivery: Delivery) =>
        delivery.attempt === 1
          ? settleTwice[Buffer.from(delivery.frame).toString()](delivery)
          : delivery.ack();
      const inbox = await stage.inbox(driver, stage.topic(), { handler });
      await stage.publishAll(driver, stage.topic(), Object.keys(settleTwice));
      await stage.received(inbox, 7);
      await stage.quiet();
      const again = inbox.texts.filter((_, index) => inbox.deliveries[index].attempt > 1);
      expectOnceEach(again, ['retry, ack', 'retry, retry', 'retry, deadLetter'], 'redelivered');
    },
  },
  {
    id: 'dead-letter',
    name: 'a dead-lettered frame does not come back to its group, and other groups still get it',
    needs: ['settlement', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const handler = (delivery: Delivery) =>
        Buffer.from(delivery.frame).toString() === 'bad'
          ? delivery.deadLetter({ reason: 'attempts', error: { name: 'Error', message: 'bad' } })
          : delivery.ack();
      const inbox = await stage.inbox(driver, stage.topic(), { handler });
      await stage.publishAll(driver, stage.topic(), ['bad', 'good']);
      await stage.received(inbox, 2);
      await inbox.close();
      const next = await stage.inbox(driver, stage.topic());
      const other = await stage.inbox(driver, stage.topic(), { group: 'other', handler: leaveUnsettled });
      await stage.publish(driver, stage.topic(), 'last');
      await Promise.all([stage.received(next, 1), stage.received(other, 1)]);
      await stage.quiet((stage.harness.visibilityMs ?? 0) + 50);
      assert.deepEqual(next.texts, ['last']);
    },
  },
  {
    id: 'dead-letters-full',
    name: 'a group keeps so many dead letters, the newest; how many gave way is told',
    needs: ['settlement', 'maxDeadLetters'],
    async run(stage) {
      const max = stage.harness.maxDeadLetters!;
      const { publisher, subscriber } = await stage.pair();
      let dropped = 0;
      subscriber.onStatus((status) => {
        if (status.type !== 'dead-letters-full' || status.topic !== stage.topic()) return;
        assert.deepEqual([status.group, status.maxDeadLetters], ['contract', max]);
        dropped += status.dropped;
      });
      const handler = (delivery: Delivery) => delivery.deadLetter({ reason: 'unrecoverable' });
      const inbox = await stage.inbox(subscriber, stage.topic(), { maxInFlight: 1, handler });
      await stage.publishAll(publisher, stage.topic(), texts('m', max + 3));
      await stage.received(inbox, max + 3);
      await stage.until('what gave way is told', () => dropped >= 3);
      assert.equal(dropped, 3);
      assert.ok(offersDeadLetters(subscriber), 'its dead letters cannot be looked at');
      const kept = await (await subscriber.deadLetters(stage.topic(), 'contract')).list({ limit: max + 3 });
      const keptTexts = kept.map(({ frame }) => Buffer.from(frame).toString());
      assert.deepEqual(keptTexts, inbox.texts.slice(3));
    },
  },
  {
    id: 'max-in-flight',
    name: 'never more than maxInFlight deliveries are unsettled',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { maxInFlight: 3, handler: leaveUnsettled });
      await stage.publishAll(driver, stage.topic(), texts('m', 20));
      for (let settled = 0; settled < 20; settled++) {
        await stage.received(inbox, Math.min(settled + 3, 20));
        if (settled % 5 === 0) await stage.quiet();
        assert.ok(inbox.size <= settled + 3, `${inbox.size - settled} are unsettled`);
        await inbox.deliveries[settled].ack();
      }
      expectOnceEach(inbox.texts, texts('m', 20), 'messages');
    },
  },
  {
    id: 'parts',
    name: 'parts of a bundle are settled by themselves, and a redelivery of the bundle knows which',
    needs: ['settlement', 'parts', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { handler: leaveUnsettled });
      await stage.publish(driver, stage.topic(), 'bundle');
      await stage.received(inbox, 1);
      const part = (index: number) => ({ index, frame: new TextEncoder().encode(`part-${index}`) });
      await inbox.deliveries[0].ack(part(0));
      await inbox.deliveries[0].deadLetter({ reason: 'unrecoverable' }, part(2));
      await inbox.close();
      const next = await stage.inbox(driver, stage.topic());
      await stage.received(next, 1);
      await stage.quiet();
      const [{ attempt, settledParts }] = next.deliveries;
      assert.deepEqual([next.texts, attempt, [...(settledParts ?? [])].sort()], [['bundle'], 2, [0, 2]]);
    },
  },
  {
    id: 'retry-part',
    name: 'a retried part comes back alone, once, to its group only, while its bundle stays in flight',
    needs: ['settlement', 'parts', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const other = await stage.inbox(driver, stage.topic(), { group: 'other' });
      const inbox = await stage.inbox(driver, stage.topic(), {
        handler: (delivery) => (delivery.attempt === 1 ? undefined : delivery.ack()),
      });
      await stage.publish(driver, stage.topic(), 'bundle');
      await stage.received(inbox, 1);
      const [bundle] = inbox.deliveries;
      const part = { index: 1, frame: new TextEncoder().encode('part-1') };
      await Promise.all([bundle.retry(20, part), bundle.retry(20, part), bundle.ack(part)]);
      await stage.received(inbox, 2);
      await bundle.ack();
      await stage.received(other, 1);
      await stage.quiet();
      assert.deepEqual(
        [inbox.texts, attempts(inbox)],
        [
          ['bundle', 'part-1'],
          [1, 2],
        ],
      );
      assert.deepEqual(other.texts, ['bundle']);
    },
  },
];
