import assert from 'node:assert/strict';
import { offersDeadLetters } from '../../../driver/dead-letters.js';
import type { Delivery } from '../../../driver/delivery.js';
import { offersGroupRemoval } from '../../../driver/group-removal.js';
import type { GroupInspection, TopicInspection } from '../../../driver/inspection.js';
import type { DriverCase } from '../driver-case.js';
import type { DriverStage } from '../driver-stage.js';
import { leaveUnsettled } from '../inbox.js';
import { groupOf, inspected, inspection, publishBundles } from '../kept-topics.js';

const LONG_MS = 60_000;

/** The groups of the case: those of patterns that others subscribed to may be there as well. */
function own({ groups }: TopicInspection): readonly GroupInspection[] {
  return groups.filter(({ group }) => ['late', 'quick', 'slow'].includes(group));
}

/** The group's counts, and whether they are exact. */
function counts({ waiting, held, retries, exact }: GroupInspection): object {
  return { waiting, held, retries, exact };
}

/** Looks until what is asserted holds: outcomes and reports may take a moment until they are counted. */
async function soon(stage: DriverStage, assertion: () => Promise<void>): Promise<void> {
  const untilMs = performance.now() + (stage.harness.deadlineMs ?? 10_000) / 2;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
    await stage.quiet(20);
  }
}

const part = (index: number) => ({ index, frame: new TextEncoder().encode(`part-${index}`) });

/** What drivers tell of what they keep. */
export const inspectionCases: readonly DriverCase[] = [
  {
    id: 'inspect-waiting',
    name: 'what waits for each group is told in messages, whatever they are bundled in and wherever the group began',
    needs: ['inspection', 'settlement', 'groups', 'backlog', 'shared broker'],
    async run(stage) {
      const { publisher, subscriber } = await stage.pair();
      const topic = stage.topic();
      await publishBundles(stage, publisher, topic, [5, 1, 32]);
      const unread = await inspected(subscriber, topic);
      assert.deepEqual(
        [unread.messages, unread.entries, unread.published, unread.exact, own(unread)],
        [38, 3, 38, true, []],
      );
      assert.ok(unread.oldestAt !== undefined && unread.oldestAt <= unread.at, 'the age of the oldest');

      const slow = await stage.inbox(subscriber, topic, {
        group: 'slow',
        maxInFlight: 1,
        handler: leaveUnsettled,
      });
      const quick = await stage.inbox(subscriber, topic, { group: 'quick' });
      await Promise.all([stage.received(slow, 1), stage.received(quick, 3)]);
      await soon(stage, async () => {
        const now = await inspected(subscriber, topic);
        const [quickly, slowly, ...others] = own(now);
        assert.deepEqual([quickly?.group, slowly?.group, others], ['quick', 'slow', []]);
        assert.deepEqual(counts(quickly), { waiting: 0, held: 0, retries: 0, exact: true });
        assert.deepEqual(counts(slowly), { waiting: 33, held: 5, retries: 0, exact: true });
        assert.deepEqual([now.messages, now.published], [38, 38]);
        assert.equal(quickly.handled! - slowly.handled!, 38, 'what one has handled more than the other');
      });

      // One that begins in the middle, and one that is not read when more comes.
      const late = await stage.inbox(subscriber, topic, { group: 'late', startFrom: 'new' });
      await late.close();
      await quick.close();
      await publishBundles(stage, publisher, topic, [7, 1]);
      await soon(stage, async () => {
        const now = await inspected(publisher, topic);
        const { messages, published } = now;
        const waiting = Object.fromEntries(own(now).map(({ group, waiting }) => [group, waiting]));
        assert.deepEqual(waiting, { late: 8, quick: 8, slow: 41 });
        assert.deepEqual([messages, published], [46, 46]);
      });
      await slow.deliveries[0].ack();
      await soon(stage, async () => {
        const { waiting, held } = await groupOf(publisher, topic, 'slow');
        assert.deepEqual([waiting, held], [40, 1]);
      });
    },
  },
  {
    id: 'inspect-held',
    name: 'of a bundle in flight, parts that are settled, run, are tried again or given up count one by one',
    needs: ['inspection', 'settlement', 'parts'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const inbox = await stage.inbox(driver, topic, { handler: leaveUnsettled, tellsBegin: true });
      await publishBundles(stage, driver, topic, [6]);
      await stage.received(inbox, 1);
      const [delivery] = inbox.deliveries;
      await soon(stage, async () => {
        const group = await groupOf(driver, topic);
        assert.deepEqual(counts(group), { waiting: 0, held: 6, retries: 0, exact: true });
        assert.equal(group.running, 0, 'no handler has begun');
      });
      for (const index of [0, 1, 2]) delivery.begin?.(part(index));
      await delivery.ack(part(0));
      await delivery.deadLetter({ reason: 'unrecoverable' }, part(1));
      await delivery.retry(LONG_MS, part(3));
      await soon(stage, async () => {
        const { at } = await inspected(driver, topic);
        const group = await groupOf(driver, topic);
        assert.deepEqual(counts(group), { waiting: 0, held: 3, retries: 1, exact: true });
        assert.equal(group.running, 1, 'the handler of one part');
        assert.deepEqual(group.deadLetters, { entries: 1, messages: 1, byReason: { unrecoverable: 1 } });
        const leftMs = (group.nextRetryAt ?? 0) - at;
        assert.ok(leftMs > 0 && leftMs <= LONG_MS, `the next retry is due in ${leftMs} ms`);
        assert.deepEqual(
          group.members.map(({ held, running }) => [held, running]),
          [[3, 1]],
        );
        const [{ aliveUntil = at + 1, runningSince = 0 }] = group.members;
        assert.ok(aliveUntil > at, 'the member is alive');
        assert.ok(runningSince > at - LONG_MS && runningSince <= at + 1_000, 'since when it runs');
      });
      for (const index of [2, 4, 5]) await delivery.ack(part(index));
      await delivery.ack();
      await soon(stage, async () => {
        const group = await groupOf(driver, topic);
        assert.deepEqual(counts(group), { waiting: 0, held: 0, retries: 1, exact: true });
        assert.equal(group.running, 0);
        assert.equal(group.oldestUnhandledAt, undefined);
      });
    },
  },
  {
    id: 'inspect-back',
    name: 'what comes back to its group waits again, without the parts that are settled',
    needs: ['inspection', 'settlement', 'parts', 'visibilityMs'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const inbox = await stage.inbox(driver, topic, { maxInFlight: 1, handler: leaveUnsettled });
      await publishBundles(stage, driver, topic, [5, 3]);
      await stage.received(inbox, 1);
      await inbox.deliveries[0].ack(part(4));
      await inbox.close();
      await soon(stage, async () => {
        const group = await groupOf(driver, topic);
        assert.equal(group.waiting + group.held, 7);
      });
      await stage.quiet(stage.harness.visibilityMs! + 50);
      await soon(stage, async () => {
        const group = await groupOf(driver, topic);
        assert.deepEqual(counts(group), { waiting: 7, held: 0, retries: 0, exact: true });
        assert.equal(group.members.filter(({ held }) => held > 0).length, 0);
      });
      const next = await stage.inbox(driver, topic);
      await stage.received(next, 2);
      await soon(stage, async () => {
        const group = await groupOf(driver, topic);
        assert.deepEqual(counts(group), { waiting: 0, held: 0, retries: 0, exact: true });
      });
    },
  },
  {
    id: 'inspect-dead-letters',
    name: 'dead letters count by reason, and until they are replayed, removed or purged',
    needs: ['inspection', 'settlement', 'groups', 'parts'],
    async run(stage) {
      const driver = await stage.driver();
      const topic = stage.topic();
      const reasons = ['attempts', 'unrecoverable', 'attempts', 'expired'];
      const handler = (delivery: Delivery, count: number) =>
        delivery.deadLetter({ reason: reasons[count - 1] });
      const inbox = await stage.inbox(driver, topic, { maxInFlight: 1, handler });
      const other = await stage.inbox(driver, topic, { group: 'other' });
      await publishBundles(stage, driver, topic, [1, 1, 4, 1]);
      await Promise.all([stage.received(inbox, 4), stage.received(other, 4)]);
      await inbox.close();
      const letters = async () => {
        const group = await groupOf(driver, topic);
        assert.equal(group.exact, true);
        return group.deadLetters;
      };
      await soon(stage, async () => {
        const byReason = { attempts: 2, unrecoverable: 1, expired: 1 };
        assert.deepEqual(await letters(), { entries: 4, messages: 7, byReason });
        const none = { entries: 0, messages: 0, byReason: {} };
        assert.deepEqual((await groupOf(driver, topic, 'other')).deadLetters, none);
      });
      assert.ok(offersDeadLetters(driver), 'its dead letters cannot be looked at');
      const store = await driver.deadLetters(topic, 'contract');
      const [first, second, bundle] = await store.list({ limit: 10 });
      await store.remove(second.position);
      await store.replay(bundle.position);
      await soon(stage, async () => {
        assert.deepEqual(await letters(), { entries: 2, messages: 2, byReason: { attempts: 1, expired: 1 } });
        assert.equal((await groupOf(driver, topic)).waiting, 4, 'what was replayed waits');
      });
      await store.replay(first.position);
      await store.purge();
      await soon(stage, async () => {
        assert.deepEqual(await letters(), { entries: 0, messages: 0, byReason: {} });
        assert.equal((await groupOf(driver, topic)).waiting, 5);
      });
    },
  },
  {
    id: 'inspect-topics',
    name: 'the topics that are stored or read are listed by name, page by page, and those that are gone are not',
    needs: ['inspection', 'settlement', 'groups', 'delay', 'shared broker'],
    async run(stage) {
      const [one, two] = [await stage.driver(), await stage.driver()];
      const topics = ['c', 'a', 'read', 'delayed', 'b'].map((name) => stage.topic(name));
      const [c, a, read, delayed, b] = topics;
      const after = stage.topic();
      for (const topic of [c, a, b]) await stage.publish(one, topic, 'm');
      await stage.publish(one, delayed, 'm', { delayMs: LONG_MS });
      const reader = await stage.inbox(two, read);
      const last = stage.topic('~');
      const listed = async (limit: number, from = after) =>
        (await inspection(two).listTopics({ after: from, limit })).filter((topic) => topic < last);
      await soon(stage, async () => {
        assert.deepEqual((await listed(10)).slice(0, 5), [a, b, c, delayed, read]);
      });
      assert.deepEqual(await listed(2), [a, b]);
      assert.deepEqual((await listed(3, b)).slice(0, 3), [c, delayed, read]);
      const page = await inspection(one).inspectTopics({ after, limit: 4 });
      assert.deepEqual(
        page.map(({ topic, messages, delayed: later }) => [topic, messages, later]),
        [
          [a, 1, 0],
          [b, 1, 0],
          [c, 1, 0],
          [delayed, 0, 1],
        ],
      );
      const { at, nextDueAt = 0, overdue } = page[3];
      assert.ok(nextDueAt > at && nextDueAt <= at + LONG_MS, `due in ${nextDueAt - at} ms`);
      assert.equal(overdue, 0);

      assert.equal(await inspection(one).inspectTopic(stage.topic('unknown')), undefined);
      await reader.close();
      assert.ok(offersGroupRemoval(two), 'its groups cannot be removed');
      const { groups } = await inspected(one, read);
      for (const { group } of groups) {
        await soon(stage, async () => assert.equal(await two.removeGroup(read, group), true));
      }
      assert.equal(await inspection(one).inspectTopic(read), undefined, 'nothing is left of the topic');
      assert.ok(!(await listed(10)).includes(read), 'it is not listed any more');
    },
  },
];
