import { bytes, Inbox, rejection } from '../../support/redis-harness.js';
import { pause, until } from '../../support/waiting.js';
import { member, stored, streamsStage } from './support.js';

describe('Redis Streams: dead letters', () => {
  const redis = streamsStage();
  const { drivers } = redis;

  /** A driver whose group `g` has given up the frames `d0`, `d1` … of the topic `t`. */
  async function withDeadLetters(count: number) {
    const driver = await drivers.connected({ url: redis.server.url });
    const inbox = new Inbox();
    let gives = true;
    await driver.subscribe('t', member(), (delivery) => {
      inbox.take(delivery);
      const error = { name: 'TypeError', message: 'no such order' };
      void (gives ? delivery.deadLetter({ reason: 'attempts', error }) : delivery.ack());
    });
    await driver.subscribe('t', member({ group: 'other' }), (delivery) => void delivery.ack());
    for (let index = 0; index < count; index++) await driver.publish('t', bytes(`d${index}`), stored());
    const store = await driver.deadLetters('t', 'g');
    await until('all are given up', async () => (await store.count()) === count);
    const heal = () => {
      gives = false;
    };
    return { driver, inbox, store, heal };
  }

  it('keeps the bytes, the reason, the error and where it came from', async () => {
    const before = Date.now();
    const { inbox, store } = await withDeadLetters(1);
    const [letter] = await store.list({ limit: 10 });
    expect(letter).toMatchObject({
      reason: 'attempts',
      error: { name: 'TypeError', message: 'no such order' },
      originalPosition: inbox.deliveries[0].position,
      attempts: 1,
      replays: 0,
    });
    expect(Buffer.from(letter.frame).toString()).toBe('d0');
    expect(letter.failedAt).toBeGreaterThanOrEqual(before - 1);
    expect(letter.failedAt).toBeLessThanOrEqual(Date.now() + 1);
    expect((await redis.admin.xpending('disco:{t}', 'g'))[0]).toBe(0);
  });

  it('lists in pages, oldest first', async () => {
    const { store } = await withDeadLetters(5);
    const seen: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await store.list({ after, limit: 2 });
      if (page.length === 0) break;
      seen.push(...page.map(({ frame }) => Buffer.from(frame).toString()));
      after = page.at(-1)?.position;
    }
    expect(seen).toEqual(['d0', 'd1', 'd2', 'd3', 'd4']);
    expect(await rejection(store.list({ after: 'yesterday', limit: 1 }))).toMatchObject({
      code: 'DISCO_CONFIGURATION',
    });
  });

  it('hands one back to its group alone, as a first attempt, and counts it', async () => {
    const { inbox, store } = await withDeadLetters(2);
    const [letter] = await store.list({ limit: 1 });
    expect(await store.replay(letter.position)).toBe(true);
    expect(await store.replay(letter.position)).toBe(false);
    const deliveries = await inbox.received(3);
    expect([inbox.texts[2], deliveries[2].attempt, deliveries[2].position]).toEqual([
      'd0',
      1,
      letter.originalPosition,
    ]);
    await until('it is given up again', async () => (await store.count()) === 2);
    const again = (await store.list({ limit: 10 })).find(({ replays }) => replays === 1);
    expect(Buffer.from(again!.frame).toString()).toBe('d0');
    expect(await redis.admin.exists('disco:{t}:retry:other')).toBe(1);
    expect(await redis.admin.xlen('disco:{t}:retry:other')).toBe(0);
  });

  it('a replayed one that is handled is gone', async () => {
    const { inbox, store, heal } = await withDeadLetters(1);
    heal();
    const [letter] = await store.list({ limit: 1 });
    await store.replay(letter.position);
    await inbox.received(2);
    await pause(50);
    expect(await store.count()).toBe(0);
  });

  it('removes one, and purges all', async () => {
    const { store } = await withDeadLetters(3);
    const [first] = await store.list({ limit: 1 });
    expect([await store.remove(first.position), await store.remove(first.position)]).toEqual([true, false]);
    expect([await store.replay('nonsense'), await store.remove('nonsense')]).toEqual([false, false]);
    expect([await store.purge(), await store.purge(), await store.count()]).toEqual([2, 0, 0]);
  });

  it('refuses what does not exist', async () => {
    const { driver } = await withDeadLetters(0);
    for (const [topic, group] of [
      ['t', 'nobody'],
      ['nothing', 'g'],
      ['t', ''],
    ]) {
      expect(await rejection(driver.deadLetters(topic, group))).toMatchObject({
        code: 'DISCO_CONFIGURATION',
      });
    }
    expect(await rejection(driver.deadLetters('no topic', 'g'))).toMatchObject({
      code: 'DISCO_TOPIC_INVALID',
    });
  });

  it('counts the members of a group', async () => {
    const { driver } = await withDeadLetters(0);
    expect(await driver.countMembers('t', 'g')).toBe(1);
    expect(await driver.countMembers('t', 'nobody')).toBe(0);
    const other = await drivers.connected({ url: redis.server.url });
    await other.subscribe('t', member(), () => undefined);
    expect(await driver.countMembers('t', 'g')).toBe(2);
    await other.close();
    expect(await driver.countMembers('t', 'g')).toBe(1);
  });
});
