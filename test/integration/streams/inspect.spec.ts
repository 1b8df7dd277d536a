import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import type { RedisStreamOptions } from '../../../lib/drivers/redis/streams/stream-options.js';
import { UnrecoverableError } from '../../../lib/errors/handler.errors.js';
import { rejection } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { gate, KeepingLogger } from '../../unit/bus/support.js';
import { countByHand } from './hand-count.js';

describe('bus.inspect on Redis', () => {
  let server: RedisServer;
  let admin: Redis;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
  });
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await admin.flushall();
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  async function bus(service = 'shop', streams: RedisStreamOptions = {}): Promise<DiscoBus> {
    const driver = redisDriver({ url: server.url, streams });
    const made = new DiscoBus({ driver, service, logger: new KeepingLogger() });
    closers.push(() => made.stop());
    await made.start();
    return made;
  }

  /** A group that is there, and not read. */
  async function leaveGroup(of: DiscoBus, topic: string, group: string): Promise<void> {
    const subscription = await of.subscribe(topic, () => undefined, { group });
    await subscription.close();
  }

  it('does not count what a full topic has dropped, nor what was handled and trimmed', async () => {
    const publisher = await bus('shop', { maxLength: 10, retention: 'drop-oldest' });
    await leaveGroup(publisher, 'full', 'idle');
    for (let batch = 0; batch < 30; batch++) {
      await publisher.publishBatch('full', [1, 2, 3, 4, 5].slice(batch % 3));
    }
    const count = await countByHand(admin, 'full', 'idle');
    const full = (await publisher.inspect.topic('full'))!;
    expect(full).toMatchObject({ exact: true, entries: 10, messages: count.waiting });
    expect(full.groups[0]).toMatchObject({ ...count, exact: true });
    expect(full.published).toBe(120);

    let handled = 0;
    await publisher.subscribe('full', () => void handled++, { group: 'idle' });
    await until('all is handled and trimmed', async () => (await admin.xlen('disco:{full}')) === 0);
    expect(handled).toBe(count.waiting);
    const empty = (await publisher.inspect.topic('full'))!;
    expect(empty).toMatchObject({ messages: 0, published: 120, oldestAt: undefined });
    expect(empty.groups[0]).toMatchObject({ waiting: 0, held: 0, exact: true, handled: 120 });
  });

  it('says which numbers are estimates: of what others wrote, and of streams whose counts are gone', async () => {
    const reader = await bus();
    for (let n = 0; n < 5; n++) await admin.xadd('disco:{old}', '*', 'f', `m${n}`);
    await admin.xgroup('CREATE', 'disco:{old}', 'g', '0');
    const old = await reader.inspect.topic('old');
    expect(old).toMatchObject({ messages: 5, entries: 5, exact: false });
    expect(old?.groups[0]).toMatchObject({ waiting: 5, exact: false, handled: undefined });

    await leaveGroup(reader, 'evicted', 'g');
    await reader.publishBatch('evicted', [1, 2, 3]);
    expect((await reader.inspect.group('evicted', 'g'))!).toMatchObject({ waiting: 3, exact: true });
    await admin.del('disco:{evicted}:counts');
    expect((await reader.inspect.group('evicted', 'g'))!).toMatchObject({ waiting: 1, exact: false });
    await admin.hset('disco:{evicted}:state:g', 'info:somebody', '{"running":"many"', 'paused', '1');
    await admin.zadd('disco:{evicted}:members:g', Date.now() + 60_000, 'somebody');
    const { members, paused } = (await reader.inspect.group('evicted', 'g'))!;
    expect({ members, paused }).toMatchObject({ paused: true, members: [{ id: 'somebody', running: 0 }] });
  });

  it('says what is an estimate after an eviction: who holds what, letters that nothing counts, what runs', async () => {
    const reader = await bus('shop', { claimAfter: 1_500 });
    const handling = gate();
    await reader.subscribe(
      'lost',
      async (does: string) => {
        if (does === 'wait') await handling.promise;
        else throw new UnrecoverableError('never');
      },
      { group: 'g' },
    );
    const group = async () => (await reader.inspect.group('lost', 'g'))!;
    await reader.publishBatch('lost', ['wait', 'wait']);
    await reader.publishBatch('lost', ['refuse', 'refuse']);
    await until('two run', async () => (await group()).running === 2 && (await group()).held === 2);
    await until('two are given up', async () => (await group()).deadLetters.entries === 2);
    const counts = { entries: 2, messages: 2, byReason: { unrecoverable: 2 } };
    expect(await group()).toMatchObject({ exact: true, deadLetters: counts });

    await admin.del('disco:{lost}:counts', 'disco:{lost}:state:g');
    expect(await group()).toMatchObject({ exact: false, running: 0, held: 2 });
    await reader.publish('lost', 'refuse');
    await until('it is given up', async () => (await group()).deadLetters.entries === 3);
    await until('the member says what it runs', async () => (await group()).running === 2);
    // The group has read past what the totals go on from, and holds an entry of before.
    expect(await group()).toMatchObject({ exact: false, waiting: 0, held: 2 });
    expect(await reader.inspect.topic('lost')).toMatchObject({ exact: false });
    handling.open();
    await until('nothing is held', async () => (await group()).held === 0);
    expect(await reader.inspect.topic('lost')).toMatchObject({ exact: true, messages: 0 });
    expect(await group()).toMatchObject({ exact: false, deadLetters: { entries: 3, messages: 3 } });

    const letters = reader.deadLetters('lost', 'g');
    for (const { position } of await letters.peek()) await letters.remove(position);
    expect(await group()).toMatchObject({ exact: true, deadLetters: { entries: 0, messages: 0 } });
    await reader.publish('lost', 'refuse');
    await until('it is given up', async () => (await group()).deadLetters.entries === 1);
    const one = { entries: 1, messages: 1, byReason: { unrecoverable: 1 } };
    expect(await group()).toMatchObject({ exact: true, deadLetters: one });
  });

  it('dead letters without their counts are never counted as less than none', async () => {
    const reader = await bus();
    const refuse = () => {
      throw new UnrecoverableError('never');
    };
    await reader.subscribe('lost', refuse, { group: 'g' });
    const letters = reader.deadLetters('lost', 'g');
    const given = (count: number) => until('given up', async () => (await letters.count()) === count);
    await reader.publishBatch('lost', [1, 2, 3]);
    await given(3);
    await admin.del('disco:{lost}:state:g');
    for (const { position } of await letters.peek()) await letters.remove(position);
    const group = async () => (await reader.inspect.group('lost', 'g'))!;
    expect(await group()).toMatchObject({ deadLetters: { entries: 0, messages: 0, byReason: {} } });
    await reader.publish('lost', 4);
    await given(1);
    const one = { entries: 1, messages: 1, byReason: { unrecoverable: 1 } };
    expect(await group()).toMatchObject({ exact: true, deadLetters: one });
  });

  it('purging says how many messages it dropped, also where the counts are gone', async () => {
    const reader = await bus();
    await leaveGroup(reader, 'lost', 'g');
    for (const size of [3, 4])
      await reader.publishBatch(
        'lost',
        Array.from({ length: size }, (_, n) => n),
      );
    await admin.del('disco:{lost}:counts');
    expect(await reader.admin.purgeGroup('lost', 'g')).toBe(7);
    await reader.publishBatch('unread', [1, 2, 3]);
    await admin.del('disco:{unread}:counts');
    expect(await reader.admin.purgeTopic('unread')).toBe(3);
  });

  it('looks at 1,000 topics of 3 groups in about a second', async () => {
    const reader = await bus();
    const [topics, groups] = [1_000, ['billing', 'mail', 'search']];
    const commands = admin.pipeline();
    const [now, names] = [Date.now(), Array.from({ length: topics }, (_, n) => `t${1_000 + n}`)];
    for (const topic of names) {
      const stream = `disco:{${topic}}`;
      for (let n = 1; n <= 3; n++)
        commands.xadd(stream, `${now}-${n * 32 * 4_096 + 31}`, 'f', 'x'.repeat(500));
      commands.hset(`${stream}:counts`, 't', 96, 'last', `${now}-${3 * 32 * 4_096 + 31}`);
      commands.zadd('disco:stream-topics', now, topic);
      for (const group of groups) {
        commands.xgroup('CREATE', stream, group, `${now}-${32 * 4_096 + 31}`);
        commands.xgroup('CREATE', `${stream}:retry:${group}`, group, '0', 'MKSTREAM');
        commands.hset(`${stream}:state:${group}`, 'at', now, 'cp', '0-0', 'info:one', '{"running":3}');
        commands.zadd(`${stream}:members:${group}`, now + 60_000, 'one');
        commands.xreadgroup('GROUP', group, 'one', 'COUNT', 1, 'STREAMS', stream, '>');
      }
    }
    await commands.exec();
    await reader.inspect.topics({ limit: 1 });
    const begunMs = performance.now();
    const found = await reader.inspect.topics({ limit: 1_000 });
    const tookMs = performance.now() - begunMs;
    console.info(`1,000 topics of 3 groups: ${Math.round(tookMs)} ms`);
    expect(found.map(({ topic }) => topic)).toEqual(names);
    expect(
      found.every(({ groups }) => groups.every((g) => g.waiting === 32 && g.held === 32 && g.exact)),
    ).toBe(true);
    expect(tookMs).toBeLessThan(4_000);
  }, 30_000);

  it('refuses names that cannot be, and tells its connection', async () => {
    const reader = await bus();
    expect(await rejection(reader.inspect.topic('no topic'))).toMatchObject({ code: 'DISCO_TOPIC_INVALID' });
    expect(await rejection(reader.inspect.topics({ limit: 0 }))).toMatchObject({
      code: 'DISCO_CONFIGURATION',
    });
    expect(await reader.inspect.topic('unknown')).toBeUndefined();
    const [connection] = reader.inspect.connections();
    expect(connection).toMatchObject({ driver: 'redis', connected: true });
    expect(connection.server).toContain(String(server.port));
    await reader.stop();
    expect(reader.inspect.connections()[0].connected).toBe(false);
  });
});
