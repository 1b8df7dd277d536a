import assert from 'node:assert/strict';
import { type Delivery } from '../../../driver/delivery.js';
import { type DriverCase } from '../driver-case.js';
import { expectAll, expectOnceEach } from '../expect.js';
import { type Inbox } from '../inbox.js';
import { texts } from './subscription.cases.js';

/** What is kept, for whom, from when and until when. */
export const storageCases: readonly DriverCase[] = [
  {
    id: 'backlog',
    name: 'what was published while nobody subscribed reaches a late group',
    needs: ['backlog'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.publishAll(publisher, stage.topic(), texts('m', 20));
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.received(inbox, 20);
      await stage.quiet();
      expectOnceEach(inbox.texts, texts('m', 20), 'backlog');
    },
  },
  {
    id: 'start-new',
    name: 'a group that starts with what is new gets nothing older',
    needs: ['backlog'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.publishAll(publisher, stage.topic(), texts('old', 5));
      const inbox = await stage.inbox(subscriber, stage.topic(), { startFrom: 'new' });
      await stage.publishAll(publisher, stage.topic(), texts('new', 5));
      await stage.received(inbox, 5);
      await stage.quiet();
      expectOnceEach(inbox.texts, texts('new', 5), 'new ones');
    },
  },
  {
    id: 'start-once',
    name: 'a group that exists goes on where it was, whatever the next member asks for',
    needs: ['backlog', 'groups'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const first = await stage.inbox(subscriber, stage.topic());
      await stage.publish(publisher, stage.topic(), 'seen');
      await stage.received(first, 1);
      await first.deliveries[0].ack();
      await first.close();
      await stage.publish(publisher, stage.topic(), 'meanwhile');
      const next = await stage.inbox(subscriber, stage.topic(), { startFrom: 'new' });
      await stage.received(next, 1);
      await stage.quiet();
      assert.deepEqual(next.texts, ['meanwhile']);
    },
  },
  {
    id: 'group-shares',
    name: 'the members of a group share: each frame goes to one of them, and each gets some',
    needs: ['groups', 'shared broker'],
    async run(stage) {
      const publisher = await stage.driver();
      const holding = { maxInFlight: 10, handler: () => undefined };
      const inboxes: Inbox[] = [];
      for (let member = 0; member < 3; member++) {
        inboxes.push(await stage.inbox(await stage.driver(), stage.topic(), holding));
      }
      // One after the other: what is published at once may travel together, and then goes to one member.
      for (const text of texts('m', 30)) await stage.publish(publisher, stage.topic(), text);
      await stage.until('all are handed out', () => inboxes.reduce((sum, { size }) => sum + size, 0) >= 30);
      await stage.quiet();
      expectOnceEach(
        inboxes.flatMap((inbox) => inbox.texts),
        texts('m', 30),
        'shared',
      );
      assert.ok(
        inboxes.every(({ size }) => size === 10),
        'a member was given more than its places, or none',
      );
    },
  },
  {
    id: 'exclusive',
    name: 'an exclusive group is read by one member at a time; the next one follows when all is settled, in order',
    needs: ['groups', 'exclusive', 'shared broker'],
    async run(stage) {
      const publisher = await stage.driver();
      const holding = { exclusive: true, maxInFlight: 2, handler: () => undefined };
      const first = await stage.inbox(await stage.driver(), stage.topic(), holding);
      const second = await stage.inbox(await stage.driver(), stage.topic(), holding);
      for (const text of texts('m', 5)) await stage.publish(publisher, stage.topic(), text);
      await stage.received(first, 2);
      await stage.quiet();
      assert.equal(second.size, 0, 'a member that stands by was handed something');
      await first.close();
      await stage.quiet();
      assert.equal(second.size, 0, 'the next member followed before all was settled');
      await Promise.all(first.deliveries.map((delivery) => delivery.ack()));
      await stage.received(second, 2);
      assert.deepEqual([...first.texts, ...second.texts], texts('m', 4));
    },
  },
  {
    id: 'pattern-backlog',
    name: 'a group on a pattern also gets topics that appear later, and what was kept before',
    needs: ['patterns', 'backlog'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.publish(publisher, stage.topic('early'), 'early');
      const inbox = await stage.inbox(subscriber, stage.topic('*'));
      await stage.publish(publisher, stage.topic('late'), 'late');
      await stage.received(inbox, 2);
      await stage.quiet();
      expectOnceEach(inbox.texts, ['early', 'late'], 'messages');
    },
  },
  {
    id: 'delay',
    name: 'a delayed frame is delivered afterwards, not before, and others go on meanwhile',
    needs: ['delay'],
    async run(stage) {
      const driver = await stage.driver();
      const arrivals: number[] = [];
      const inbox = await stage.inbox(driver, stage.topic(), {
        handler: (delivery) => {
          arrivals.push(stage.now());
          return delivery.ack();
        },
      });
      const published = stage.now();
      await stage.publish(driver, stage.topic(), 'delayed', { delayMs: 200 });
      await stage.publish(driver, stage.topic(), 'at once');
      await stage.received(inbox, 2);
      assert.deepEqual(inbox.texts, ['at once', 'delayed']);
      const waitedMs = arrivals[1] - published;
      assert.ok(waitedMs >= 198, `arrived after ${waitedMs} of 200 ms`);
    },
  },
  {
    id: 'ttl',
    name: 'a frame is not delivered any more after its time to live',
    needs: ['backlog'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.publish(publisher, stage.topic(), 'short', { ttlMs: 100 });
      await stage.publish(publisher, stage.topic(), 'long', { ttlMs: 60_000 });
      await stage.quiet(150);
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.received(inbox, 1);
      await stage.quiet();
      assert.deepEqual(inbox.texts, ['long']);
    },
  },
  {
    id: 'ttl-retry',
    name: 'nor is it redelivered then',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { handler: (delivery) => delivery.retry(150) });
      await stage.publish(driver, stage.topic(), 'm', { ttlMs: 100 });
      await stage.received(inbox, 1);
      await stage.quiet(300);
      assert.equal(inbox.size, 1);
    },
  },
  {
    id: 'deduplication',
    name: 'an id that was accepted before is not stored again',
    needs: ['deduplication'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const options = { id: `${stage.name}-same`, deduplicate: true };
      const first = await stage.publish(publisher, stage.topic(), 'm', options);
      const again = await Promise.all([
        stage.publish(publisher, stage.topic(), 'm', options),
        stage.publish(subscriber, stage.topic(), 'm', options),
      ]);
      await stage.publish(publisher, stage.topic('other'), 'elsewhere', options);
      const inbox = await stage.inbox(subscriber, stage.topic());
      const other = await stage.inbox(subscriber, stage.topic('other'));
      await Promise.all([stage.received(inbox, 1), stage.received(other, 1)]);
      await stage.quiet();
      assert.equal(inbox.size, 1, 'stored again');
      assert.notEqual(first.duplicate, true);
      for (const { duplicate, position } of again) {
        assert.deepEqual({ duplicate, position }, { duplicate: true, position: first.position });
      }
    },
  },
  {
    id: 'restart',
    name: 'nothing that was accepted is lost over a restart of the broker',
    needs: ['persistent', 'restartBroker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.publishAll(publisher, stage.topic(), texts('m', 50));
      await stage.harness.restartBroker!();
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.received(inbox, 50);
      expectAll(inbox.texts, texts('m', 50), 'accepted');
    },
  },
  {
    id: 'age',
    name: 'where a delivery tells how long ago it was stored, that is so',
    needs: ['backlog', 'settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const begunMs = stage.now();
      await stage.publish(driver, stage.topic(), 'm');
      const storedMs = stage.now();
      await stage.quiet(100);
      const ages: [number | undefined, number][] = [];
      const handler = (delivery: Delivery, count: number) => {
        ages.push([delivery.ageMs, stage.now()]);
        return count === 1 ? delivery.retry(100) : delivery.ack();
      };
      const inbox = await stage.inbox(driver, stage.topic(), { handler });
      await stage.received(inbox, 2);
      for (const [ageMs, nowMs] of ages) {
        if (ageMs === undefined) continue;
        assert.ok(ageMs <= nowMs - begunMs + 50, `${ageMs} ms is older than it can be`);
        assert.ok(ageMs >= nowMs - storedMs - 50, `${ageMs} ms is younger than it can be`);
      }
    },
  },
];
