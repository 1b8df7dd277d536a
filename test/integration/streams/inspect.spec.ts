import { Redis } from 'ioredis';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { GroupInspection } from '../../../lib/driver/inspection.js';
import { redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import type { RedisStreamOptions } from '../../../lib/drivers/redis/streams/stream-options.js';
import { type ConsumerConfig, ConsumerProcess, Journal } from '../../faults/streams-processes.js';
import { rejection } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { KeepingLogger } from '../../unit/bus/support.js';
import { countByHand } from './hand-count.js';

const HOUR_MS = 3_600_000;

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

  function consumer(journal: Journal, changes: Partial<ConsumerConfig>): ConsumerProcess {
    const started = ConsumerProcess.start(
      {
        url: server.url,
        topic: 'load',
        group: 'billing',
        claimAfterMs: 2_000,
        concurrency: 20,
        prefetch: 0,
        workMs: HOUR_MS,
        retryDelayMs: HOUR_MS,
        ...changes,
      },
      journal,
    );
    closers.push(() => started.kill());
    return started;
  }

  const numbersOf = ({ waiting, held, retries, deadLetters }: GroupInspection) => ({
    waiting,
    held,
    retries,
    deadLetters,
  });

  it('says what a count by hand says: bundles, running, retries, dead letters, two groups, two processes, a kill', async () => {
    const publisher = await bus();
    await leaveGroup(publisher, 'load', 'shipping');
    const journal = new Journal();
    const first = consumer(journal, {});
    await first.ready;
    const early = ['fail', 'fail', 'fail', 'fail', 'fail', 'refuse', 'refuse', 'refuse'];
    for (const [n, does] of early.entries()) await publisher.publish('load', { n, does });
    const inspected = async (group = 'billing') => {
      const found = await publisher.inspect.group('load', group);
      expect(found?.exact).toBe(true);
      return found!;
    };
    await until('five wait for their time', async () => (await inspected()).retries === 5);
    await until('three are given up', async () => (await inspected()).deadLetters.entries === 3);
    const second = consumer(journal, { concurrency: 17 });
    await second.ready;
    await publisher.publishBatch(
      'load',
      Array.from({ length: 10_000 }, (_, index) => ({ n: 100 + index })),
    );
    await until('37 run', async () => (await inspected()).running === 37);

    const billing = await inspected();
    expect(numbersOf(billing)).toEqual(await countByHand(admin, 'load', 'billing'));
    expect(billing.waiting + billing.held).toBe(10_000);
    expect(billing.deadLetters).toEqual({ entries: 3, messages: 3, byReason: { unrecoverable: 3 } });
    expect(billing.members.map(({ running }) => running).sort()).toEqual([17, 20]);
    for (const { pid, service, version, aliveUntil, runningSince, reportedAt } of billing.members) {
      expect({ service, pid }).toEqual({ service: 'billing', pid: expect.any(Number) });
      expect(version).toMatch(/^\d/);
      expect([aliveUntil, runningSince, reportedAt].every((at) => Math.abs(at! - Date.now()) < 60_000)).toBe(
        true,
      );
    }
    const shipping = await inspected('shipping');
    expect(numbersOf(shipping)).toEqual(await countByHand(admin, 'load', 'shipping'));
    expect(numbersOf(shipping)).toMatchObject({ waiting: 10_008, held: 0, retries: 0 });
    const { messages, published, entries, bytes } = (await publisher.inspect.topic('load', { bytes: true }))!;
    expect({ messages, published }).toEqual({ messages: 10_008, published: 10_008 });
    expect(entries).toBe(await admin.xlen('disco:{load}'));
    expect(bytes).toBeGreaterThan(100_000);

    // A member that is killed holds its messages until they are taken back; then the numbers are right again.
    await second.kill('SIGKILL');
    await until('what it held is back', async () => (await inspected()).members.length === 1);
    await until('a count by hand says the same', async () => {
      const now = await inspected();
      const counted = await countByHand(admin, 'load', 'billing');
      expect(now.waiting + now.held).toBe(10_000);
      return JSON.stringify(numbersOf(now)) === JSON.stringify(counted);
    });
    expect((await inspected()).running).toBeLessThanOrEqual(20);
  }, 60_000);

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
