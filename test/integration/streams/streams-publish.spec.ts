import { Redis } from 'ioredis';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bytes, Inbox, rejection, StatusLog } from '../../support/redis-harness.js';
import { RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/waiting.js';
import { member, stored, streamsStage } from './support.js';

describe('Redis Streams: publishing', () => {
  const redis = streamsStage();
  const { drivers } = redis;

  it.each([
    [{ claimAfter: '1ms' }, 'claimAfter'],
    [{ block: '6s' }, 'block'],
    [{ block: -1 }, 'block'],
    [{ deduplicationWindow: 'soon' }, 'deduplicationWindow'],
    [{ maxLength: 0 }, 'maxLength'],
    [{ maxLength: 1.5 }, 'maxLength'],
    [{ retention: 'forget' }, 'retention'],
    [{ durability: 'all' }, 'durability'],
    [{ durability: { replicas: 0 } }, 'durability.replicas'],
    [{ durability: { replicas: 1, timeout: 0 } }, 'durability.timeout'],
    [{ maxCrashes: 0 }, 'maxCrashes'],
    [{ maxDeadLetters: 0 }, 'maxDeadLetters'],
    [{ unread: { maxLength: 0 } }, 'unread.maxLength'],
    [{ unread: { maxBytes: -1 } }, 'unread.maxBytes'],
    [{ unread: { maxAge: 'soon' } }, 'unread.maxAge'],
  ])('refuses the option %j', (streams, named) => {
    const make = () => drivers.make({ url: redis.server.url, streams: streams as never });
    expect(make).toThrow(expect.objectContaining({ code: 'DISCO_CONFIGURATION' }));
    expect(make).toThrow(named);
  });

  it('stores a frame as one binary field under the key of its topic', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    const frame = Buffer.from([0, 255, 1]);
    const { position } = await driver.publish('orders', frame, stored());
    const [[id, fields]] = await redis.admin.xrangeBuffer('disco:{orders}', '-', '+');
    expect([id.toString(), fields]).toEqual([position, [Buffer.from('f'), frame]]);
  });

  it('sends all publishes of one turn in one command, whatever their topics', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    for (let index = 0; index < 10; index++) await driver.publish(`t${index}`, bytes('known'), stored());
    const before = await calls(redis.admin, 'evalsha');
    const topics = Array.from({ length: 100 }, (_, index) => `t${index % 10}`);
    await Promise.all(topics.map((topic) => driver.publish(topic, bytes('x'), stored())));
    expect(await calls(redis.admin, 'evalsha')).toBe(before + 1);
    expect(await redis.admin.xlen('disco:{t3}')).toBe(11);
  });

  it('stores nothing twice when the reply to a publish is lost', async () => {
    // Side by side, as a connection takes its time to come back.
    const lanes = await Promise.all(Array.from({ length: 5 }, (_, index) => loseReplies(`once${index}`, 4)));
    expect(lanes.reduce((sum, dropped) => sum + dropped, 0)).toBeGreaterThanOrEqual(20);
  });

  /** Publishes `rounds` messages, each with its reply thrown away; returns how many replies were. */
  async function loseReplies(topic: string, rounds: number): Promise<number> {
    const proxy = await FaultProxy.start(redis.server.port);
    const driver = await drivers.connected({ url: proxy.url });
    const key = `disco:{${topic}}`;
    try {
      const log = new StatusLog(driver);
      // What is asked of the server once is asked by now.
      await driver.publish('warm', bytes('m'), stored());
      const positions = new Set<string | undefined>();
      for (let round = 1; round <= rounds; round++) {
        const dropped = proxy.counts.droppedReplies;
        proxy.dropReplies();
        const publishing = driver.publish(topic, bytes(`m${round}`), stored());
        await until('the server has it', async () => (await redis.admin.xlen(key)) >= round);
        await until('its reply is dropped', () => proxy.counts.droppedReplies > dropped);
        proxy.cut();
        proxy.pass();
        positions.add((await publishing).position);
        await log.seen('connected', round);
      }
      expect(proxy.counts.droppedReplies).toBeGreaterThanOrEqual(rounds);
      expect(await redis.admin.xlen(key)).toBe(rounds);
      expect(positions).toEqual(new Set((await redis.admin.xrange(key, '-', '+')).map(([id]) => id)));
      return proxy.counts.droppedReplies;
    } finally {
      await driver.close();
      await proxy.stop();
    }
  }

  it('rejects with an unknown outcome only when the time is up', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const driver = await drivers.connected({ url: proxy.url });
      await driver.publish('warm', bytes('m'), stored());
      proxy.dropReplies();
      const startedMs = performance.now();
      const error = await rejection(driver.publish('late', bytes('m'), stored({ timeoutMs: 400 })));
      expect(error.code).toBe('DISCO_PUBLISH_OUTCOME_UNKNOWN');
      expect(performance.now() - startedMs).toBeLessThan(600);
      expect(await redis.admin.xlen('disco:{late}')).toBe(1);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('says that nothing was sent when there was no connection in time', async () => {
    const own = await RedisServer.start();
    const driver = await drivers.connected({ url: own.url });
    const log = new StatusLog(driver);
    await own.kill();
    await log.seen('disconnected');
    // The first connection to go is told; the publishing one may take a moment longer.
    // A command fails with what the connection said, as long as there still is one.
    const hasGone = () =>
      driver.ping().then(
        () => false,
        ({ message }: Error) => message === 'No connection to Redis',
      );
    await until('the publishing connection has gone', hasGone);
    const error = await rejection(driver.publish('t', bytes('m'), stored({ timeoutMs: 100 })));
    expect(error.code).toBe('DISCO_PUBLISH_TIMEOUT');
    await own.boot();
    await log.seen('connected');
    await driver.publish('t', bytes('later'), stored());
    const direct = new Redis(own.url);
    expect(await direct.xlen('disco:{t}')).toBe(1);
    direct.disconnect();
    await drivers.close();
    await own.stop();
  });

  it('hands over a delayed message on time to consumers of other processes, and never early', async () => {
    const [publisher, consumer] = [
      await drivers.connected({ url: redis.server.url }),
      await drivers.connected({ url: redis.server.url }),
    ];
    const inbox = new Inbox();
    await consumer.subscribe('later', member(), inbox.take);
    await until(
      'the consumer is idle',
      async () => (await redis.admin.zcard('disco:{later}:members:g')) === 1,
    );
    const startedMs = performance.now();
    const receipt = await publisher.publish('later', bytes('m'), stored({ delayMs: 300 }));
    expect(receipt.position).toBeUndefined();
    expect(await redis.admin.xlen('disco:{later}')).toBe(0);
    await inbox.received(1);
    const waitedMs = performance.now() - startedMs;
    expect(waitedMs).toBeGreaterThanOrEqual(298);
    expect(waitedMs).toBeLessThan(700);
  });

  it('hands over a delayed message whose publisher has gone', async () => {
    const publisher = await drivers.connected({ url: redis.server.url });
    const consumer = await drivers.connected({ url: redis.server.url, streams: { claimAfter: 600 } });
    await publisher.publish('later', bytes('m'), stored({ delayMs: 200 }));
    await publisher.close();
    const inbox = new Inbox();
    await consumer.subscribe('later', member(), inbox.take);
    await inbox.received(1, 3_000);
  });

  it('remembers an id for the window, and no longer', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams: { deduplicationWindow: 150 } });
    const options = stored({ id: 'same', deduplicate: true });
    const first = await driver.publish('d', bytes('a'), options);
    expect(await driver.publish('d', bytes('b'), options)).toEqual({ ...first, duplicate: true });
    await until('the id is forgotten', async () => (await redis.admin.exists('disco:{d}:dedup:same')) === 0);
    expect((await driver.publish('d', bytes('c'), options)).duplicate).toBeUndefined();
  });

  it('refuses what does not fit, and takes it again when a group has handled something', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams: { maxLength: 100 } });
    await redis.admin.call('XGROUP', 'CREATE', 'disco:{full}', 'g', '0', 'MKSTREAM');
    const results = await Promise.allSettled(
      Array.from({ length: 150 }, (_, index) => driver.publish('full', bytes(String(index)), stored())),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(50);
    expect(refused[0].reason).toMatchObject({
      code: 'DISCO_STREAM_FULL',
      retryable: true,
      topic: 'full',
      maxLength: 100,
    });
    const inbox = new Inbox();
    await driver.subscribe('full', member({ maxInFlight: 1000 }), inbox.take);
    const deliveries = await inbox.received(100);
    const before = await rejection(driver.publish('full', bytes('unhandled'), stored()));
    expect(before.code).toBe('DISCO_STREAM_FULL');
    await Promise.all(deliveries.slice(0, 10).map((delivery) => delivery.ack()));
    await driver.publish('full', bytes('fits'), stored());
    expect(await inbox.gets('fits')).toHaveLength(101);
  });

  it('drops the oldest where that is asked for, and counts them', async () => {
    const driver = await drivers.connected({
      url: redis.server.url,
      streams: { maxLength: 1000, retention: 'drop-oldest' },
    });
    const log = new StatusLog(driver);
    for (let index = 0; index < 5000; index += 500) {
      const batch = Array.from({ length: 500 }, (_, at) =>
        driver.publish('ring', bytes(String(index + at)), stored()),
      );
      await Promise.all(batch);
    }
    expect(await redis.admin.xlen('disco:{ring}')).toBe(1000);
    expect(log.of('trimmed').reduce((sum, { entries }) => sum + entries, 0)).toBe(4000);
    expect(new Set(log.of('trimmed').map(({ topic }) => topic))).toEqual(new Set(['ring']));
  });

  it('rejects when too few replicas have it, and resolves when they do', async () => {
    const durability = { replicas: 1, timeout: 300 } as const;
    const driver = await drivers.connected({ url: redis.server.url, streams: { durability } });
    const error = await rejection(driver.publish('w', bytes('m'), stored()));
    expect(error).toMatchObject({ code: 'DISCO_NOT_REPLICATED', replicas: 0, minReplicas: 1 });
    const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(redis.server.port));
    try {
      await until(
        'the replica follows',
        async () =>
          /connected_slaves:1/.test(await redis.admin.info('replication')) &&
          /state=online/.test(await redis.admin.info('replication')),
      );
      await redis.admin.set('followed', '1');
      expect(await redis.admin.wait(1, 10_000)).toBe(1);
      const { position } = await driver.publish('w', bytes('n'), stored());
      const other = new Redis(replica.url);
      expect(await other.xrange('disco:{w}', position!, position!)).toHaveLength(1);
      other.disconnect();
    } finally {
      await replica.stop();
    }
  });

  it('fails only what goes to a key of another type', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    await redis.admin.set('disco:{wrong}', 'text');
    const [wrong, right] = await Promise.allSettled([
      driver.publish('wrong', bytes('m'), stored()),
      driver.publish('right', bytes('m'), stored()),
    ]);
    expect(wrong).toMatchObject({ status: 'rejected', reason: { code: 'DISCO_DRIVER', retryable: false } });
    expect(right.status).toBe('fulfilled');
    const error = await rejection(driver.subscribe('wrong', member(), () => undefined));
    expect(error).toMatchObject({ code: 'DISCO_DRIVER', retryable: false });
  });

  it('fails with a retryable error while Redis is out of memory', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    await redis.admin.config('SET', 'maxmemory', '1');
    const error = await rejection(driver.publish('oom', Buffer.from('secret-payload'), stored()));
    await redis.admin.config('SET', 'maxmemory', '0');
    expect(error).toMatchObject({ code: 'DISCO_DRIVER', retryable: true });
    expect(JSON.stringify([error.message, error.cause])).not.toContain('secret-payload');
    await driver.publish('oom', bytes('m'), stored());
  });

  it('goes on when the scripts are flushed', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    const inbox = new Inbox();
    await driver.subscribe('flush', member(), (delivery) => {
      inbox.take(delivery);
      void delivery.ack();
    });
    for (let round = 0; round < 20; round++) {
      await redis.admin.script('FLUSH');
      await driver.publish('flush', bytes(`m${round}`), stored());
    }
    await inbox.received(20);
    expect(new Set(inbox.texts).size).toBe(20);
  });
});

async function calls(admin: Redis, command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
