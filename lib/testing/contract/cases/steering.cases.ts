import assert from 'node:assert/strict';
import type { DiscoDriver } from '../../../driver/driver.js';
import { offersGroupRemoval } from '../../../driver/group-removal.js';
import type { GroupSetting } from '../../../driver/group-setting.js';
import { offersSteering, type Steering } from '../../../driver/steering.js';
import { isDiscoBusError } from '../../../errors/disco-bus-error.js';
import type { DriverCase } from '../driver-case.js';
import type { DriverStage } from '../driver-stage.js';
import { leaveUnsettled } from '../inbox.js';
import { groupOf, inspection, publishBundles } from '../kept-topics.js';

const GROUP = 'contract';
const LONG_MS = 60_000;

function steering(driver: DiscoDriver): Steering {
  assert.ok(offersSteering(driver), 'the driver has steering()');
  return driver.steering();
}

/** Collects what a subscription is told of its group. */
function settings(): { told: GroupSetting[]; onSetting: (topic: string, setting: GroupSetting) => void } {
  const told: GroupSetting[] = [];
  return { told, onSetting: (_topic, setting) => void told.push(setting) };
}

/** A group of the topic that nobody reads. */
async function idleGroup(stage: DriverStage, driver: DiscoDriver, topic: string): Promise<void> {
  const inbox = await stage.inbox(driver, topic);
  await inbox.close();
}

/** Groups of patterns that others subscribed to may be there. */
async function withoutGroups(driver: DiscoDriver, topic: string): Promise<void> {
  assert.ok(offersGroupRemoval(driver));
  const groups = (await inspection(driver).inspectTopic(topic))?.groups ?? [];
  for (const { group } of groups) await driver.removeGroup(topic, group);
}

/** What operators can do to a driver's topics and groups. */
export const steeringCases: readonly DriverCase[] = [
  {
    id: 'steer-pause',
    name: 'a paused group is read by none of its members until it is resumed, and they are told',
    needs: ['steering', 'settlement', 'groups', 'backlog', 'shared broker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const topic = stage.topic();
      const [first, second, late] = [settings(), settings(), settings()];
      const one = await stage.inbox(publisher, topic, first);
      const other = await stage.inbox(subscriber, topic, second);
      const paused = await steering(publisher).setGroup(topic, GROUP, { paused: true });
      assert.equal(paused.changed, true);
      assert.equal(paused.confirmed, paused.members, 'every member has confirmed');
      assert.equal((await steering(publisher).setGroup(topic, GROUP, { paused: true })).changed, false);
      const third = await stage.inbox(subscriber, topic, late);
      await publishBundles(stage, publisher, topic, [3, 1]);
      await stage.quiet();
      const sizes = () => [one, other, third].map(({ size }) => size);
      assert.deepEqual(sizes(), [0, 0, 0], 'nothing is handed over');
      const group = await groupOf(publisher, topic);
      assert.deepEqual([group.paused, group.waiting + group.held], [true, 4]);
      assert.deepEqual(
        [first, second, late].map(({ told }) => told.at(-1)?.paused),
        [true, true, true],
      );

      assert.equal((await steering(subscriber).setGroup(topic, GROUP, { paused: false })).changed, true);
      await stage.until('both come', () => sizes().reduce((sum, size) => sum + size, 0) === 2);
      assert.equal((await groupOf(publisher, topic)).paused, false);
    },
  },
  {
    id: 'steer-limit',
    name: 'members are told the limit of their group, and when it is taken away',
    needs: ['steering', 'settlement', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const { told, onSetting } = settings();
      await stage.inbox(driver, topic, { onSetting });
      await steering(driver).setGroup(topic, GROUP, { limit: 3 });
      await steering(driver).setGroup(topic, GROUP, { paused: true });
      await steering(driver).setGroup(topic, GROUP, { paused: false });
      await steering(driver).setGroup(topic, GROUP, { limit: null });
      assert.deepEqual(told, [
        { paused: false, limit: 3 },
        { paused: true, limit: 3 },
        { paused: false, limit: 3 },
        { paused: false },
      ]);
    },
  },
  {
    id: 'steer-seek',
    name: 'a group is moved where it is wished, and skips nothing unless that is said',
    needs: ['steering', 'settlement', 'groups', 'backlog'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      // What another group has not handled is kept, and can be read again.
      const lagging = await stage.inbox(driver, topic, { group: 'lagging' });
      await lagging.close();
      const first = await stage.inbox(driver, topic);
      await publishBundles(stage, driver, topic, [5, 2]);
      await stage.received(first, 2);
      await assert.rejects(steering(driver).seekGroup(topic, GROUP, { to: 'beginning' }, false), (error) =>
        isDiscoBusError(error, 'DISCO_CONFIGURATION'),
      );
      await first.close();
      await stage.until('it is settled', () => first.size === 2);
      await steering(driver).setGroup(topic, GROUP, { paused: true });
      const back = await steering(driver).seekGroup(topic, GROUP, { to: 'beginning' }, false);
      assert.deepEqual([back.skipped, back.repeated], [0, 7]);
      assert.equal((await groupOf(driver, topic)).waiting, 7);

      await assert.rejects(
        steering(driver).seekGroup(topic, GROUP, { to: 'end' }, false),
        (error) =>
          isDiscoBusError(error, 'DISCO_WOULD_LOSE_MESSAGES') && 'messages' in error && error.messages === 7,
      );
      assert.equal((await groupOf(driver, topic)).waiting, 7, 'nothing was skipped');
      const end = await steering(driver).seekGroup(topic, GROUP, { to: 'end' }, true);
      assert.deepEqual([end.skipped, end.repeated], [7, 0]);
      await stage.publish(driver, topic, 'last');
      await steering(driver).setGroup(topic, GROUP, { paused: false });
      const second = await stage.inbox(driver, topic);
      await stage.received(second, 1);
      assert.deepEqual(second.texts, ['last']);
    },
  },
  {
    id: 'steer-seek-position',
    name: 'a group is moved to the message of a position',
    needs: ['steering', 'settlement', 'groups', 'backlog'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      await idleGroup(stage, driver, topic);
      await stage.publish(driver, topic, 'first');
      const { position } = await stage.publish(driver, topic, 'second');
      assert.ok(position, 'the receipt has a position');
      const moved = await steering(driver).seekGroup(topic, GROUP, { to: 'position', position }, true);
      assert.equal(moved.skipped, 1);
      const inbox = await stage.inbox(driver, topic);
      await stage.received(inbox, 1);
      assert.deepEqual(inbox.texts, ['second']);
    },
  },
  {
    id: 'steer-purge',
    name: 'purging a group drops what waits for it, retries included, and nothing else',
    needs: ['steering', 'settlement', 'groups', 'backlog'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const other = await stage.inbox(driver, topic, { group: 'other' });
      const taken = await stage.inbox(driver, topic, {
        maxInFlight: 1,
        handler: (delivery, count) =>
          count === 1 ? delivery.retry(LONG_MS) : leaveUnsettled(delivery, count),
      });
      await publishBundles(stage, driver, topic, [1, 1, 4, 2]);
      await stage.received(taken, 2);
      assert.equal(await steering(driver).purgeGroup(topic, GROUP), 7);
      assert.equal(await steering(driver).purgeGroup(topic, GROUP), 0);
      const group = await groupOf(driver, topic);
      assert.deepEqual([group.waiting, group.held, group.retries], [0, 1, 0]);
      await stage.received(other, 4);
      await taken.deliveries[1].ack();
      await stage.publish(driver, topic, 'next');
      await stage.received(taken, 3);
      assert.equal(taken.texts[2], 'next');
    },
  },
  {
    id: 'steer-purge-topic',
    name: 'a topic is purged where no group reads it, and refused where one does',
    needs: ['steering', 'settlement', 'delay', 'backlog', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      await stage.publish(driver, topic, 'later', { delayMs: LONG_MS });
      await withoutGroups(driver, topic);
      await publishBundles(stage, driver, topic, [3, 1]);
      assert.equal(await steering(driver).purgeTopic(topic), 5);
      assert.equal(await steering(driver).purgeTopic(topic), 0);
      const inbox = await stage.inbox(driver, topic);
      await assert.rejects(steering(driver).purgeTopic(topic), (error) =>
        isDiscoBusError(error, 'DISCO_CONFIGURATION'),
      );
      await stage.publish(driver, topic, 'new');
      await stage.received(inbox, 1);
      assert.deepEqual(inbox.texts, ['new']);
    },
  },
  {
    id: 'steer-delayed',
    name: 'delayed messages are listed, published at once, and removed',
    needs: ['steering', 'settlement', 'delay', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const inbox = await stage.inbox(driver, topic);
      await stage.publish(driver, topic, 'second', { delayMs: 2 * LONG_MS });
      await stage.publish(driver, topic, 'first', { delayMs: LONG_MS });
      await stage.publish(driver, topic, 'third', { delayMs: 3 * LONG_MS });
      const list = (range: { offset?: number; limit: number }) =>
        steering(driver).delayedMessages(topic, range);
      const all = await list({ limit: 10 });
      assert.deepEqual(
        all.map(({ frame }) => Buffer.from(frame).toString()),
        ['first', 'second', 'third'],
      );
      assert.ok(all[0].dueAt < all[1].dueAt);
      const ids = async (range: { offset?: number; limit: number }) =>
        (await list(range)).map(({ id }) => id);
      assert.deepEqual(await ids({ offset: 1, limit: 1 }), [all[1].id]);
      assert.equal(await steering(driver).publishDelayed(topic, all[1].id), true);
      assert.equal(await steering(driver).publishDelayed(topic, all[1].id), false);
      assert.equal(await steering(driver).removeDelayed(topic, all[0].id), true);
      assert.equal(await steering(driver).removeDelayed(topic, all[0].id), false);
      await stage.received(inbox, 1);
      assert.deepEqual(inbox.texts, ['second']);
      assert.deepEqual(await ids({ limit: 10 }), [all[2].id]);
    },
  },
  {
    id: 'steer-audit',
    name: 'what operators did is kept, the newest first',
    needs: ['steering', 'settlement', 'shared broker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const by = stage.name;
      await steering(publisher).audit({ by, action: 'pause', topic: 'orders', group: GROUP });
      await steering(publisher).audit({ by, action: 'purge', topic: 'orders', messages: 12 });
      const all = (await steering(subscriber).audited(100)).filter((entry) => entry.by === by);
      assert.deepEqual(
        all.map(({ at: _, ...entry }) => entry),
        [
          { by, action: 'purge', topic: 'orders', messages: 12 },
          { by, action: 'pause', topic: 'orders', group: GROUP },
        ],
      );
      assert.ok(all[0].at >= all[1].at && all[1].at > 0);
    },
  },
  {
    id: 'steer-missing',
    name: 'a group that is not there is refused by every call',
    needs: ['steering', 'settlement', 'groups'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const calls: ((on: Steering) => Promise<unknown>)[] = [
        (on) => on.setGroup(topic, 'nobody', { paused: true }),
        (on) => on.seekGroup(topic, 'nobody', { to: 'end' }, true),
        (on) => on.purgeGroup(topic, 'nobody'),
      ];
      for (const call of calls) {
        await assert.rejects(call(steering(driver)), (error) =>
          isDiscoBusError(error, 'DISCO_CONFIGURATION'),
        );
      }
    },
  },
];
