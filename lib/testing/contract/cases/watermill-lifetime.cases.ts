import assert from 'node:assert/strict';
import { type DiscoDriver } from '../../../driver/driver.js';
import { type DriverCase } from '../driver-case.js';
import { type DriverStage } from '../driver-stage.js';
import { expectAll, expectOnceEach } from '../expect.js';
import { leaveUnsettled } from '../inbox.js';
import { texts } from './subscription.cases.js';

/** Publishes with one id until the broker accepts it. */
async function publishStubbornly(stage: DriverStage, driver: DiscoDriver, text: string): Promise<void> {
  const options = { id: `${stage.name}-${text}`, deduplicate: stage.can.deduplication, timeoutMs: 2_000 };
  for (let attempt = 1; ; attempt++) {
    try {
      await stage.publish(driver, stage.topic(), text, options);
      return;
    } catch (error) {
      if (attempt === 200) throw error;
      await stage.quiet();
    }
  }
}

/** Watermill's universal tests, second half: what lives how long, and who gets what. */
export const watermillLifetimeCases: readonly DriverCase[] = [
  {
    id: 'W11',
    name: 'two topics, one message each: nothing crosses',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const one = await stage.inbox(subscriber, stage.topic('one'));
      const two = await stage.inbox(subscriber, stage.topic('two'));
      await stage.publish(publisher, stage.topic('one'), 'for one');
      await stage.publish(publisher, stage.topic('two'), 'for two');
      await Promise.all([stage.received(one, 1), stage.received(two, 1)]);
      await stage.quiet();
      assert.deepEqual([one.texts, two.texts], [['for one'], ['for two']]);
    },
  },
  {
    id: 'W12',
    name: 'a delivery ends with its settlement: its place is free, and it outlives neither that nor its driver',
    needs: ['settlement'],
    async run(stage) {
      const driver = await stage.driver();
      const inbox = await stage.inbox(driver, stage.topic(), { maxInFlight: 1, handler: leaveUnsettled });
      await stage.publishAll(driver, stage.topic(), ['first', 'second']);
      await stage.received(inbox, 1);
      await inbox.deliveries[0].ack();
      await stage.received(inbox, 2);
      await inbox.close();
      const { publisher, subscriber } = await stage.pair();
      await driver.close();
      if (stage.harness.brokerShared === false) return;
      const next = await stage.inbox(subscriber, stage.topic());
      await stage.received(next, 1);
      await stage.publish(publisher, stage.topic(), 'third');
      await stage.received(next, 2);
      assert.deepEqual(next.texts, ['second', 'third']);
    },
  },
  {
    id: 'W13',
    name: 'a closed subscription gets nothing more; the next one gets all',
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const first = await stage.inbox(subscriber, stage.topic());
      await first.close();
      if (stage.can.backlog) await stage.publishAll(publisher, stage.topic(), texts('m', 20));
      const next = await stage.inbox(subscriber, stage.topic());
      if (!stage.can.backlog) await stage.publishAll(publisher, stage.topic(), texts('m', 20));
      await stage.received(next, 20);
      expectOnceEach(next.texts, texts('m', 20), 'messages');
      assert.equal(first.size, 0);
    },
  },
  {
    id: 'W14',
    name: 'a new group gets the full history of what some group still has to do',
    needs: ['backlog', 'groups'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      await stage.inbox(subscriber, stage.topic(), {
        group: 'keeping',
        maxInFlight: 1,
        handler: leaveUnsettled,
      });
      const history: string[] = [];
      for (let round = 0; round < 3; round++) {
        history.push(...texts(`round-${round}`, 20));
        await stage.publishAll(publisher, stage.topic(), texts(`round-${round}`, 20));
        const late = await stage.inbox(subscriber, stage.topic(), { group: `late-${round}` });
        await stage.received(late, history.length);
        expectOnceEach(late.texts, history, 'history');
      }
    },
  },
  {
    id: 'W15',
    name: 'the broker restarts twice while many publish: everything accepted arrives',
    needs: ['persistent', 'restartBroker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const [count, publishers] = [stage.size(10_000, 300), stage.size(100, 10)];
      const sent = texts('m', count);
      const inbox = await stage.inbox(subscriber, stage.topic());
      const restarts = [Math.floor(count / 3), Math.floor(count / 2)];
      let [accepted, restarted] = [0, 0];
      const publishShare = async (first: number) => {
        for (let index = first; index < count; index += publishers) {
          await publishStubbornly(stage, publisher, sent[index]);
          if (++accepted === restarts[0] || accepted === restarts[1]) {
            restarted++;
            await stage.harness.restartBroker!();
          }
        }
      };
      await Promise.all(Array.from({ length: publishers }, (_, first) => publishShare(first)));
      await stage.until('all arrive', () => new Set(inbox.texts).size >= count);
      assert.equal(restarted, 2, 'the broker was not restarted');
      expectAll(inbox.texts, sent, 'messages');
    },
  },
  {
    id: 'W16',
    name: 'each consumer group gets all messages',
    needs: ['groups'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const inboxes = await Promise.all(
        ['a', 'b'].map((group) => stage.inbox(subscriber, stage.topic(), { group })),
      );
      await stage.publishAll(publisher, stage.topic(), texts('m', 50));
      for (const inbox of inboxes) {
        await stage.received(inbox, 50);
        await stage.quiet();
        expectOnceEach(inbox.texts, texts('m', 50), 'a group');
      }
    },
  },
];
