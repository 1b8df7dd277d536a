import assert from 'node:assert/strict';
import { type Delivery } from '../../../driver/delivery.js';
import { type DriverCase } from '../driver-case.js';
import { expectAll, expectInOrder, expectOnceEach } from '../expect.js';
import { type Inbox } from '../inbox.js';
import { texts } from './subscription.cases.js';

const textsOf = (inboxes: readonly Inbox[]) => inboxes.flatMap((inbox) => inbox.texts);
const distinct = (inboxes: readonly Inbox[]) => new Set(textsOf(inboxes)).size;

/** Splits `all` among `publishers` that publish at once, each its own share one after the other. */
async function publishByMany(
  all: readonly string[],
  publishers: number,
  publish: (text: string) => Promise<unknown>,
): Promise<void> {
  const publisher = async (first: number) => {
    for (let index = first; index < all.length; index += publishers) await publish(all[index]);
  };
  await Promise.all(Array.from({ length: publishers }, (_, first) => publisher(first)));
}

/** Nacks the first `nacks` deliveries, acknowledges the others. */
function nacking(nacks: number) {
  let left = nacks;
  return (delivery: Delivery) => (left-- > 0 ? delivery.retry(0) : delivery.ack());
}

/** Watermill's universal tests, https://github.com/ThreeDotsLabs/watermill pubsub/tests, first half. */
export const watermillCases: readonly DriverCase[] = [
  {
    id: 'W1',
    name: 'publish, then subscribe (subscribe first where nothing is kept): every message once, unchanged',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const sent = texts('m', 100);
      const early = stage.can.backlog ? undefined : await stage.inbox(subscriber, stage.topic());
      await stage.publishAll(publisher, stage.topic(), sent);
      const inbox = early ?? (await stage.inbox(subscriber, stage.topic()));
      await stage.received(inbox, sent.length);
      await inbox.close();
      await stage.quiet();
      expectOnceEach(inbox.texts, sent, 'messages');
    },
  },
  {
    id: 'W2',
    name: 'many publishers and many subscriptions at once',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const many = stage.size(50, 10);
      const sent = texts('m', stage.size(5_000, 100));
      const inboxes = await Promise.all(
        Array.from({ length: many }, () => stage.inbox(subscriber, stage.topic())),
      );
      await publishByMany(sent, many, (text) => stage.publish(publisher, stage.topic(), text));
      const wanted = stage.can.groups ? [inboxes] : inboxes.map((inbox) => [inbox]);
      for (const together of wanted) {
        await stage.until('all arrive', () => distinct(together) >= sent.length);
        expectOnceEach(textsOf(together), sent, 'messages');
      }
    },
  },
  {
    id: 'W3',
    name: 'many topics at once: each gets its own messages',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const [topics, count] = [stage.size(20, 10), stage.size(100, 50)];
      const playTopic = async (below: string) => {
        const inbox = await stage.inbox(subscriber, stage.topic(below));
        await stage.publishAll(publisher, stage.topic(below), texts(below, count));
        await stage.received(inbox, count);
        expectOnceEach(inbox.texts, texts(below, count), below);
      };
      await Promise.all(texts('t', topics).map(playTopic));
    },
  },
  {
    id: 'W4',
    name: 'what was refused is sent again: the first two are nacked, all arrive',
    needs: ['settlement'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic(), { handler: nacking(2) });
      await stage.publishAll(publisher, stage.topic(), texts('m', 100));
      await stage.received(inbox, 102);
      await stage.quiet();
      expectAll(inbox.texts, texts('m', 100), 'messages');
      assert.equal(inbox.size, 102);
    },
  },
  {
    id: 'W5',
    name: 'one at a time: the second waits until the first is acknowledged',
    needs: ['settlement', 'ordered'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inbox = await stage.inbox(subscriber, stage.topic(), {
        maxInFlight: 1,
        handler: (_, count) => count,
      });
      await stage.publishAll(publisher, stage.topic(), ['first', 'second']);
      await stage.received(inbox, 1);
      await stage.quiet(100);
      assert.deepEqual(inbox.texts, ['first']);
      await inbox.deliveries[0].ack();
      await stage.received(inbox, 2);
      await inbox.deliveries[1].ack();
      await stage.quiet();
      assert.deepEqual(inbox.texts, ['first', 'second']);
    },
  },
  {
    id: 'W6',
    name: 'reading goes on where a closed subscription stopped',
    needs: ['settlement', 'backlog', 'visibilityMs'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const sent = texts('m', stage.size(5_000, 50));
      await stage.publishAll(publisher, stage.topic(), sent);
      const batches = stage.size(5, 2);
      const acked = new Set<string>();
      for (let batch = 1; batch <= batches; batch++) {
        const goal = Math.ceil((sent.length / batches) * batch);
        const handler = (delivery: Delivery) => {
          if (acked.size >= goal) return undefined;
          acked.add(Buffer.from(delivery.frame).toString());
          return delivery.ack();
        };
        const inbox = await stage.inbox(subscriber, stage.topic(), { maxInFlight: 10, handler });
        await stage.until('a batch is handled', () => acked.size >= goal);
        await inbox.close();
      }
      expectAll([...acked], sent, 'messages');
    },
  },
  {
    id: 'W7',
    name: 'many drivers that close at once do not harm the others',
    needs: ['shared broker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const drivers = await Promise.all(Array.from({ length: 10 }, () => stage.driver()));
      await Promise.all(drivers.map((driver) => stage.inbox(driver, stage.topic('closing'))));
      const inbox = await stage.inbox(subscriber, stage.topic());
      await Promise.all(drivers.map((driver) => driver.close()));
      await stage.publishAll(publisher, stage.topic(), texts('m', 50));
      await stage.received(inbox, 50);
      expectOnceEach(inbox.texts, texts('m', 50), 'messages');
    },
  },
  {
    id: 'W8',
    name: 'after subscribers that refuse everything have gone, all messages arrive',
    needs: ['settlement', 'visibilityMs'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const [subscribers, nacks] = [stage.size(3, 1), stage.size(100, 5)];
      const sent = texts('m', 50);
      await stage.publishAll(publisher, stage.topic(), sent);
      for (let round = 0; round < subscribers; round++) {
        const refusing = await stage.inbox(subscriber, stage.topic(), {
          handler: (delivery) => delivery.retry(0),
        });
        await stage.received(refusing, nacks);
        await refusing.close();
      }
      const inbox = await stage.inbox(subscriber, stage.topic());
      await stage.until('all arrive', () => distinct([inbox]) >= sent.length);
      expectAll(inbox.texts, sent, 'messages');
    },
  },
  {
    id: 'W9',
    name: 'order is kept per key for many subscribers',
    needs: ['ordered'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const [keys, count] = [16, stage.size(1_000, 160)];
      const sent = Array.from({ length: count }, (_, index) => `${index % keys}:${index}`);
      const inboxes = await Promise.all(
        texts('group', 10).map((group) => stage.inbox(subscriber, stage.topic(), { group })),
      );
      await stage.publishAll(publisher, stage.topic(), sent);
      for (const inbox of inboxes) {
        await stage.received(inbox, count);
        for (let key = 0; key < keys; key++) {
          const ofKey = (text: string) => text.startsWith(`${key}:`);
          expectInOrder(inbox.texts.filter(ofKey), sent.filter(ofKey), `key ${key}`);
        }
      }
    },
  },
  {
    id: 'W10',
    name: 'what was accepted before its publisher closed arrives',
    needs: ['shared broker'],
    async run(stage) {
      const [publisher, subscriber] = [await stage.driver(), await stage.driver()];
      const inbox = await stage.inbox(subscriber, stage.topic());
      const accepted: string[] = [];
      const sent = texts('m', stage.size(10_000, 200));
      let closing: Promise<void> | undefined;
      await publishByMany(sent, stage.size(20, 10), async (text) => {
        const receipt = await stage.publish(publisher, stage.topic(), text).catch(() => undefined);
        if (receipt) accepted.push(text);
        if (accepted.length === sent.length / 2) closing ??= publisher.close();
      });
      await closing;
      assert.ok(accepted.length >= sent.length / 2, 'too few were accepted');
      await stage.received(inbox, accepted.length);
      const arrived = new Set(inbox.texts);
      expectAll(
        accepted.filter((text) => arrived.has(text)),
        accepted,
        'accepted',
      );
    },
  },
];
