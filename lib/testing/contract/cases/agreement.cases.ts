import assert from 'node:assert/strict';
import { type DeliveryGuarantee } from '../../../driver/capabilities.js';
import { type DiscoDriver } from '../../../driver/driver.js';
import {
  offersTopicAgreements,
  type TopicAgreements,
  type TopicUse,
} from '../../../driver/topic-agreements.js';
import { type DriverCase } from '../driver-case.js';

const others: Record<DeliveryGuarantee, DeliveryGuarantee> = {
  'at-least-once': 'at-most-once',
  'at-most-once': 'at-least-once',
};
const LONG_MS = 60_000;
const SHORT_MS = 200;

function agreements(driver: DiscoDriver): TopicAgreements {
  assert.ok(offersTopicAgreements(driver), 'the driver has agreeOn and releaseTopics');
  return driver;
}

/** How topics are used is kept where all drivers see it. */
export const agreementCases: readonly DriverCase[] = [
  {
    id: 'agreement',
    name: 'those who use a topic alike agree; who uses it otherwise is told of them, and not noted',
    needs: ['topicAgreements', 'shared broker'],
    async run(stage) {
      const [one, two] = [agreements(await stage.driver()), agreements(await stage.driver())];
      const use: TopicUse = { delivery: stage.guarantee };
      const other: TopicUse = { delivery: others[stage.guarantee] };
      const bare: TopicUse = { delivery: 'at-most-once', bare: true };
      assert.equal(await one.agreeOn(stage.topic(), use, 'one', LONG_MS), undefined);
      for (const otherwise of [other, bare]) {
        const dissent = await two.agreeOn(stage.topic(), otherwise, 'two', LONG_MS);
        assert.equal(dissent?.delivery, stage.guarantee);
        assert.equal(dissent?.bare === true, false);
        assert.deepEqual(dissent?.by, ['one']);
      }
      assert.equal(await two.agreeOn(stage.topic(), use, 'two', LONG_MS), undefined);
      const both = await one.agreeOn(stage.topic(), other, 'three', LONG_MS);
      assert.deepEqual([...(both?.by ?? [])].sort(), ['one', 'two']);
      assert.equal(await one.agreeOn(stage.topic('else'), other, 'one', LONG_MS), undefined, 'another topic');
    },
  },
  {
    id: 'agreement-race',
    name: 'of two that contradict each other at the same time one is refused',
    needs: ['topicAgreements', 'shared broker'],
    async run(stage) {
      const [one, two] = [agreements(await stage.driver()), agreements(await stage.driver())];
      for (let round = 0; round < stage.size(200, 20); round++) {
        const topic = stage.topic(String(round));
        const refused = await Promise.all([
          one.agreeOn(topic, { delivery: 'at-most-once' }, 'one', LONG_MS),
          two.agreeOn(topic, { delivery: 'at-least-once' }, 'two', LONG_MS),
        ]);
        assert.equal(refused.filter((dissent) => dissent !== undefined).length, 1, topic);
      }
    },
  },
  {
    id: 'agreement-end',
    name: 'a use ends with its time or its release, and one that is only asked for is not noted',
    needs: ['topicAgreements', 'shared broker'],
    async run(stage) {
      const [one, two] = [agreements(await stage.driver()), agreements(await stage.driver())];
      const use: TopicUse = { delivery: stage.guarantee };
      const other: TopicUse = { delivery: others[stage.guarantee] };
      assert.equal(await one.agreeOn(stage.topic('asked'), use, 'one', 0), undefined);
      assert.equal(await two.agreeOn(stage.topic('asked'), other, 'two', LONG_MS), undefined);

      const released = [stage.topic('released'), stage.topic('unknown')];
      assert.equal(await one.agreeOn(released[0], use, 'one', LONG_MS), undefined);
      await two.releaseTopics(released, 'two');
      assert.ok(await two.agreeOn(released[0], other, 'two', LONG_MS), 'released by another one');
      await one.releaseTopics(released, 'one');
      assert.equal(await two.agreeOn(released[0], other, 'two', LONG_MS), undefined);

      assert.equal(await one.agreeOn(stage.topic('short'), use, 'one', SHORT_MS), undefined);
      assert.ok(await two.agreeOn(stage.topic('short'), other, 'two', 0), 'before its time is over');
      await stage.quiet(SHORT_MS * 2);
      assert.equal(await two.agreeOn(stage.topic('short'), other, 'two', 0), undefined);
    },
  },
  {
    id: 'agreement-stored',
    name: 'what is stored of a topic, and the groups that read it, are its use at least once',
    needs: ['topicAgreements', 'shared broker', 'backlog'],
    async run(stage) {
      const [one, two] = [await stage.driver(), agreements(await stage.driver())];
      const most: TopicUse = { delivery: 'at-most-once' };
      await stage.publish(one, stage.topic(), 'm');
      const stored = await two.agreeOn(stage.topic(), most, 'two', LONG_MS);
      assert.equal(stored?.delivery, 'at-least-once');
      assert.ok(stored?.by.length, 'says of whom');
      const inbox = await stage.inbox(one, stage.topic(), { group: 'billing' });
      await stage.received(inbox, 1);
      await inbox.close();
      const read = await two.agreeOn(stage.topic(), most, 'two', LONG_MS);
      assert.match(String(read?.by), /billing/, 'the group');
      assert.equal(
        await two.agreeOn(stage.topic(), { delivery: 'at-least-once' }, 'two', LONG_MS),
        undefined,
      );
    },
  },
];
