import assert from 'node:assert/strict';
import { type DriverCase } from '../driver-case.js';
import { expectInOrder, expectOnceEach } from '../expect.js';
import { type acknowledge, type Inbox } from '../inbox.js';

/** The texts `<word>-0`, `<word>-1`, … */
export function texts(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${word}-${index}`);
}

/** What subscriptions get, and when they stop. */
export const subscriptionCases: readonly DriverCase[] = [
  {
    id: 'subscribe',
    name: 'whatever is published once subscribe has resolved arrives once, as a first attempt',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.publishAll(publisher, stage.topic(), texts('m', 50));
      await stage.received(inbox, 50);
      await stage.quiet();
      expectOnceEach(inbox.texts, texts('m', 50), 'messages');
      assert.ok(
        inbox.deliveries.every(({ attempt, topic }) => attempt === 1 && topic === stage.topic()),
        'attempt 1 of the topic',
      );
    },
  },
  {
    id: 'two-subscriptions',
    name: 'two subscriptions of one driver to one topic both get everything',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const first = await stage.inbox(subscriber, stage.topic(), { group: 'first' });
      const second = await stage.inbox(subscriber, stage.topic(), { group: 'second' });
      await stage.publishAll(publisher, stage.topic(), texts('m', 10));
      await Promise.all([stage.received(first, 10), stage.received(second, 10)]);
      await stage.quiet();
      expectOnceEach(first.texts, texts('m', 10), 'the first');
      expectOnceEach(second.texts, texts('m', 10), 'the second');
    },
  },
  {
    id: 'fan-out',
    name: 'subscriptions of separate drivers all get everything',
    needs: ['shared broker'],
    async run(stage) {
      const publisher = await stage.driver();
      const inboxes: Inbox[] = [];
      for (const group of ['a', 'b', 'c']) {
        inboxes.push(await stage.inbox(await stage.driver(), stage.topic(), { group }));
      }
      await stage.publishAll(publisher, stage.topic(), texts('m', 10));
      for (const inbox of inboxes) {
        await stage.received(inbox, 10);
        expectOnceEach(inbox.texts, texts('m', 10), 'messages');
      }
    },
  },
  {
    id: 'order',
    name: "one publisher's messages to one topic arrive in order",
    needs: ['ordered'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic());
      const sent = texts('m', stage.size(5_000, 500));
      await stage.publishAll(publisher, stage.topic(), sent);
      await stage.received(inbox, sent.length);
      expectInOrder(inbox.texts, sent, 'order');
    },
  },
  {
    id: 'close-one',
    name: 'closing a subscription stops that one alone, at once and for good',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const kept = await stage.inbox(subscriber, stage.topic(), { group: 'kept' });
      const other = await stage.inbox(subscriber, stage.topic('other'));
      const closed = await stage.inbox(subscriber, stage.topic(), { group: 'closed' });
      await Promise.all([closed.close(), closed.close()]);
      await stage.publishAll(publisher, stage.topic(), texts('m', 5));
      await stage.publish(publisher, stage.topic('other'), 'other');
      await Promise.all([stage.received(kept, 5), stage.received(other, 1)]);
      await stage.quiet();
      assert.equal(closed.size, 0, 'a closed subscription is handed nothing');
      await closed.close();
    },
  },
  {
    id: 'close-first',
    name: 'nothing is handed over from the moment close is called, though it was published before',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      const publishing = stage.publishAll(driver, stage.topic(), texts('m', 20));
      const closing = inbox.close();
      const before = inbox.size;
      await Promise.all([publishing, closing]);
      await stage.quiet();
      assert.equal(inbox.size, before);
    },
  },
  {
    id: 'close-takes',
    name: 'what a closing subscription was counted in for is handed over until close has resolved, nothing after',
    needs: ['fan-out'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      for (let round = 0; round < 10; round++) {
        const topic = stage.topic(String(round));
        const inbox = await stage.inbox(subscriber, topic);
        const publishing = texts('m', 200).map((text) => stage.publish(publisher, topic, text));
        if (round % 2 > 0) await publishing[0];
        await inbox.close();
        const taken = inbox.size;
        const receipts = await Promise.all(publishing);
        await stage.quiet(5);
        assert.equal(inbox.size, taken, 'nothing comes after close');
        const counts = receipts.map(({ receivers }) => receivers);
        if (counts.includes(undefined)) continue;
        assert.equal(taken, counts.filter((count) => count === 1).length, 'what receipts count arrives');
      }
    },
  },
  {
    id: 'resubscribe',
    name: 'subscribe, close, subscribe again',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inboxes: Inbox[] = [];
      for (let round = 0; round < 5; round++) {
        const inbox = await stage.inbox(subscriber, stage.topic());
        inboxes.push(inbox);
        await stage.publish(publisher, stage.topic(), `round-${round}`);
        await stage.received(inbox, 1);
        await inbox.close();
      }
      await stage.quiet();
      inboxes.forEach((inbox, round) => {
        expectOnceEach(inbox.texts, [`round-${round}`], 'one round');
      });
    },
  },
  {
    id: 'throwing-handler',
    name: 'a subscriber that throws does not end its subscription',
    async run(stage) {
      const driver = await stage.driver();
      const handler = (...[delivery, count]: Parameters<typeof acknowledge>) => {
        void delivery.ack();
        if (count === 1) throw new Error('thrown by the contract suite');
      };
      const inbox = await stage.inbox(driver, stage.topic(), { handler });
      await stage.publish(driver, stage.topic(), 'first');
      await stage.received(inbox, 1);
      await stage.publish(driver, stage.topic(), 'second');
      await stage.until('the second arrives', () => inbox.texts.includes('second'));
    },
  },
  {
    id: 'throwing-handler',
    name: 'what a subscriber throws at is settled, and keeps no place',
    async run(stage) {
      const driver = await stage.driver();
      const handler = (...[delivery, count]: Parameters<typeof acknowledge>) => {
        if (count <= 3) throw new Error('thrown by the contract suite');
        void delivery.ack();
      };
      const inbox = await stage.inbox(driver, stage.topic(), { handler, maxInFlight: 2 });
      for (const text of ['1', '2', '3', 'last']) await stage.publish(driver, stage.topic(), text);
      await stage.until('the last arrives', () => inbox.texts.includes('last'));
      await stage.quiet();
      expectOnceEach(inbox.texts, ['1', '2', '3', 'last'], 'each handed over once');
    },
  },
  {
    id: 'pause',
    name: 'nothing is handed over between pause and resume',
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      inbox.subscription.pause();
      await stage.publish(driver, stage.topic(), 'while paused');
      await stage.quiet();
      assert.equal(inbox.size, 0, 'handed over while paused');
      inbox.subscription.resume();
      inbox.subscription.resume();
      await stage.publish(driver, stage.topic(), 'afterwards');
      await stage.until('afterwards', () => inbox.texts.includes('afterwards'));
      if (stage.durable) await stage.received(inbox, 2);
      await stage.quiet();
      const expected = stage.durable ? ['while paused', 'afterwards'] : ['afterwards'];
      expectOnceEach(inbox.texts, expected, 'after resume');
    },
  },
  {
    id: 'pause-ahead',
    name: 'nothing that was read ahead is handed over after pause',
    async run(stage) {
      const driver = await stage.driver();
      const numbers = Array.from({ length: 30 }, (_, n) => String(n));
      const inbox = await stage.inbox(driver, stage.topic(), {
        handler: (delivery, count) => {
          if (count === 3) inbox.subscription.pause();
          return delivery.ack();
        },
      });
      await stage.publishAll(driver, stage.topic(), numbers);
      await stage.received(inbox, 3);
      await stage.quiet();
      assert.equal(inbox.size, 3, 'handed over after the third had paused');
      inbox.subscription.resume();
      if (stage.durable) await stage.received(inbox, 30);
      else await stage.publish(driver, stage.topic(), 'afterwards');
      await stage.until('the last', () => inbox.texts.includes(stage.durable ? '29' : 'afterwards'));
      if (stage.durable) expectOnceEach(inbox.texts, numbers, 'each once, in the end');
    },
  },
  {
    id: 'patterns',
    name: 'a pattern gets the topics it means, with their own names, and no others',
    needs: ['patterns'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const one = await stage.inbox(subscriber, stage.topic('*'), { group: 'one' });
      const open = await stage.inbox(subscriber, stage.topic('deep.>'), { group: 'open' });
      const middle = await stage.inbox(subscriber, stage.topic('*.x'), { group: 'middle' });
      const published = ['', '.a', '.deep', '.deep.x', '.deep.x.y', '.a.x', 'a'].map(
        (end) => stage.topic() + end,
      );
      for (const topic of published) await stage.publish(publisher, topic, topic);
      await Promise.all([stage.received(one, 2), stage.received(open, 2), stage.received(middle, 2)]);
      await stage.quiet();
      const under = (...ends: string[]) => ends.map((end) => stage.topic(end));
      expectOnceEach(one.texts, under('a', 'deep'), '*');
      expectOnceEach(open.texts, under('deep.x', 'deep.x.y'), 'deep.>');
      expectOnceEach(middle.texts, under('deep.x', 'a.x'), '*.x');
      for (const { topic, frame } of [...one.deliveries, ...open.deliveries]) {
        assert.equal(topic, Buffer.from(frame).toString());
      }
    },
  },
  {
    id: 'settle-nothing',
    name: 'at most once, settling resolves and does nothing',
    needs: ['fan-out'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic());
      await stage.publish(driver, stage.topic(), 'm');
      await stage.received(inbox, 1);
      const [delivery] = inbox.deliveries;
      await delivery.retry(0);
      await delivery.deadLetter({ reason: 'terminated' });
      await delivery.ack();
      await stage.quiet();
      assert.equal(inbox.size, 1);
    },
  },
  {
    id: 'reconnect',
    name: 'after a restart of the broker subscriptions go on',
    needs: ['restartBroker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.harness.restartBroker?.();
      await stage.until('a message arrives again', () => {
        stage.publish(publisher, stage.topic(), 'm').catch(() => undefined);
        return inbox.size > 0;
      });
      await stage.publish(publisher, stage.topic(), 'the last');
      await stage.until('the last arrives', () => inbox.texts.includes('the last'));
    },
  },
  {
    id: 'own-topics',
    name: "no pattern of a caller hears the bus's own topics; those who name them do",
    needs: ['patterns'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const own = [`nest:all.${stage.topic()}`, `reply:${'c'.repeat(32)}`, 'disco:contract'];
      const all = await stage.inbox(subscriber, '>', { group: 'all' });
      const first = await stage.inbox(subscriber, '*', { group: 'first' });
      const any = await stage.inbox(subscriber, `*.${stage.topic()}`, { group: 'any' });
      for (const topic of own) await stage.publish(publisher, topic, topic);
      await stage.publish(publisher, stage.topic(), 'm');
      await stage.until('a topic of a caller', () => all.texts.includes('m'));
      await stage.quiet();
      const heard = [...all.texts, ...first.texts, ...any.texts];
      assert.deepEqual(
        heard.filter((text) => own.includes(text)),
        [],
      );
      if (stage.durable) return;
      const named = await stage.inbox(subscriber, own[0]);
      await stage.publish(publisher, own[0], own[0]);
      await stage.received(named, 1);
    },
  },
];
