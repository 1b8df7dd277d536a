import type { Delivery } from '../../../lib/driver/delivery.js';
import type { RedisStreamOptions } from '../../../lib/drivers/redis/streams/stream-options.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bytes, Inbox, rejection, StatusLog } from '../../support/redis-harness.js';
import { pause, until } from '../../support/waiting.js';
import { acknowledging, member, stored, streamsStage, textOf } from './support.js';

describe('Redis Streams: topic patterns', () => {
  const redis = streamsStage();
  const { drivers } = redis;
  const slowDiscovery: RedisStreamOptions = { claimAfter: 600, topicDiscovery: '30s' };

  const connected = (streams = slowDiscovery) => drivers.connected({ url: redis.server.url, streams });
  const range = (count: number) => Array.from({ length: count }, (_, index) => index);

  it('loses nothing of topics that turn up under load, within the places of the whole subscription', async () => {
    const [publisher, driver] = [await connected(), await connected()];
    const inbox = new Inbox();
    let [running, most] = [0, 0];
    await driver.subscribe('orders.*', member({ startFrom: 'new', maxInFlight: 5 }), (delivery) => {
      inbox.take(delivery);
      most = Math.max(most, ++running);
      setImmediate(() => {
        running--;
        void delivery.ack();
      });
    });
    const topics = range(40).map((index) => `orders.t${index}`);
    for (const round of range(10)) {
      const alive = topics.slice(0, 4 * (round + 1));
      await Promise.all(alive.map((topic) => publisher.publish(topic, bytes(`${topic}/${round}`), stored())));
    }
    const sent = topics.flatMap((topic, index) =>
      range(10)
        .filter((round) => index < 4 * (round + 1))
        .map((round) => `${topic}/${round}`),
    );
    await inbox.received(sent.length);
    await pause(100);
    expect([...inbox.texts].sort()).toEqual([...sent].sort());
    for (const delivery of inbox.deliveries) expect(textOf(delivery).split('/')[0]).toBe(delivery.topic);
    expect(most).toBe(5);
  });

  it('reads all topics over one connection', async () => {
    const driver = await connected();
    const { inbox, take } = acknowledging();
    await driver.subscribe('many.>', member(), take);
    const before = (await redis.admin.client('LIST')) as string;
    await Promise.all(range(200).map((index) => driver.publish(`many.a.t${index}`, bytes('m'), stored())));
    await inbox.received(200);
    const connections = (list: string) => list.match(/name=disco:/g)?.length;
    expect(connections((await redis.admin.client('LIST')) as string)).toBe(connections(before)! + 1);
  });

  it('reads idle topics beside a busy one, and the busy one by a command that names few', async () => {
    const [publisher, driver] = [await connected(), await connected()];
    const { inbox, take } = acknowledging();
    await driver.subscribe('b.*', member({ maxInFlight: 4 }), take);
    await Promise.all(
      range(100).map((index) => publisher.publish(`b.idle${index}`, bytes('first'), stored())),
    );
    await inbox.received(100);
    const monitor = await redis.admin.monitor();
    const reads: number[] = [];
    monitor.on('monitor', (_time, [command, ...args]: string[]) => {
      if (command.toLowerCase() === 'xreadgroup') reads.push(args.filter((each) => each === '>').length);
    });
    try {
      const startedMs = performance.now();
      let busy = true;
      // More than is read at a time, so that the busy topic always has something.
      const load = (async () => {
        let sent = 0;
        for (; busy || sent < 1_000; sent += 50)
          await Promise.all(range(50).map(() => publisher.publish('b.busy', bytes('busy'), stored())));
        return sent;
      })();
      await inbox.gets('busy');
      await publisher.publish('b.idle7', bytes('late'), stored());
      await inbox.gets('late');
      busy = false;
      const sent = await load;
      await inbox.received(101 + sent);
      const ofAll = reads.filter((streams) => streams > 100).length;
      console.log(
        reads.length,
        ofAll,
        performance.now() - startedMs,
        sent,
        JSON.stringify(reads.slice(0, 300)),
      );
      // All are named once in 20 ms, however slow the machine is.
      expect(ofAll).toBeLessThanOrEqual(Math.ceil((performance.now() - startedMs) / 20) + 1);
      expect(reads.length - ofAll).toBeGreaterThan(ofAll);
    } finally {
      monitor.disconnect();
    }
  });

  it('begins where the subscription says with what was there, and at the beginning with what comes later', async () => {
    const publisher = await connected();
    await publisher.publish('a.old', bytes('old'), stored());
    const { inbox, take } = acknowledging();
    const first = await connected();
    await first.subscribe('a.*', member({ startFrom: 'new' }), take);
    await publisher.publish('a.old', bytes('old 2'), stored());
    await publisher.publish('a.later', bytes('later'), stored());
    await inbox.received(2);
    await first.close();
    await publisher.publish('a.meanwhile', bytes('meanwhile'), stored());
    const second = await connected();
    await second.subscribe('a.*', member({ startFrom: 'new' }), take);
    await inbox.gets('meanwhile');
    await pause(50);
    expect([...inbox.texts].sort()).toEqual(['later', 'meanwhile', 'old 2']);
  });

  it('is shared by the members of a group, and every group gets all', async () => {
    const publisher = await connected();
    const [one, two, other] = [acknowledging(), acknowledging(), acknowledging()];
    const small = member({ maxInFlight: 2 });
    await (await connected()).subscribe('s.*', small, one.take);
    await (await connected()).subscribe('s.*', small, two.take);
    await (await connected()).subscribe('s.*', member({ group: 'other' }), other.take);
    const sent = range(20).flatMap((round) => range(10).map((index) => [`s.t${index}`, `${index}.${round}`]));
    for (const [topic, text] of sent) await publisher.publish(topic, bytes(text), stored());
    await other.inbox.received(sent.length);
    await until('the group has all', () => one.inbox.texts.length + two.inbox.texts.length >= sent.length);
    await pause(50);
    const all = sent.map(([, text]) => text).sort();
    expect([...one.inbox.texts, ...two.inbox.texts].sort()).toEqual(all);
    expect([...other.inbox.texts].sort()).toEqual(all);
    expect(Math.min(one.inbox.texts.length, two.inbox.texts.length)).toBeGreaterThan(0);
  });

  it('finds a topic whose announcement was lost', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const driver = await drivers.connected({
        url: redis.server.url,
        reader: { url: proxy.url },
        heartbeat: '20s',
        streams: { topicDiscovery: 300 },
      });
      const { inbox, take } = acknowledging();
      await driver.subscribe('l.*', member(), take);
      proxy.dropReplies();
      await driver.publish('l.lost', bytes('m'), stored());
      await until('the announcement is dropped', () => proxy.counts.droppedReplies > 0);
      await inbox.received(1, 2_000);
      expect(proxy.counts.cuts).toBe(0);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('finds a topic that turned up while it could not be told', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const driver = await drivers.connected({
        url: redis.server.url,
        reader: { url: proxy.url },
        streams: slowDiscovery,
      });
      const { inbox, take } = acknowledging();
      await driver.subscribe('l.*', member(), take);
      expect(proxy.cut()).toBeGreaterThan(0);
      await driver.publish('l.cut', bytes('m'), stored());
      await inbox.received(1, 5_000);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it.each([true, false])('goes on after FLUSHALL, another reader on the topics: %s', async (shared) => {
    const [publisher, driver] = [await connected(), await connected()];
    const { inbox, take } = acknowledging();
    await driver.subscribe('f.*', member(), take);
    // What the server has lost is not held any more: its outcome cannot be recorded.
    const ignoring = (each: Delivery) => void each.ack().catch(() => undefined);
    if (shared) await publisher.subscribe('f.known', member({ group: 'exact' }), ignoring);
    await publisher.publish('f.known', bytes('before'), stored());
    await inbox.received(1);
    await redis.admin.flushall();
    await publisher.publish('f.known', bytes('after'), stored());
    await publisher.publish('f.new', bytes('new'), stored());
    await inbox.received(3, 2_000);
    expect([...inbox.texts].sort()).toEqual(['after', 'before', 'new']);
    const newcomer = acknowledging();
    await (await connected()).subscribe('f.*', member({ group: 'later' }), newcomer.take);
    await publisher.publish('f.known', bytes('again'), stored());
    await newcomer.inbox.gets('again');
  });

  it('lists a topic again when the server has lost all', async () => {
    const driver = await connected();
    await driver.publish('f.known', bytes('before'), stored());
    await redis.admin.flushall();
    await driver.publish('f.known', bytes('after'), stored());
    const { inbox, take } = acknowledging();
    await (await connected()).subscribe('f.*', member(), take);
    await inbox.gets('after', 2_000);
  });

  it('retries and dead-letters by topic, pauses, and leaves every topic when closed', async () => {
    const driver = await connected();
    const inbox = new Inbox();
    const subscription = await driver.subscribe('r.*', member(), (delivery) => {
      inbox.take(delivery);
      if (textOf(delivery) === 'bad') void delivery.deadLetter({ reason: 'attempts' });
      else
        void (textOf(delivery) === 'again' && delivery.attempt === 1 ? delivery.retry(20) : delivery.ack());
    });
    for (const topic of ['r.a', 'r.b']) {
      for (const text of ['again', 'bad', 'good']) await driver.publish(topic, bytes(text), stored());
    }
    await inbox.received(8);
    for (const topic of ['r.a', 'r.b']) {
      const dead = await driver.deadLetters(topic, 'g');
      await until('it is given up', async () => (await dead.count()) === 1);
    }
    subscription.pause();
    await driver.publish('r.a', bytes('paused'), stored());
    await driver.publish('r.later', bytes('paused'), stored());
    await pause(100);
    expect(inbox.texts).not.toContain('paused');
    subscription.resume();
    await inbox.received(10);
    await until('all is settled', async () => Number((await pending('r.a'))[0]) === 0);
    await subscription.close();
    await driver.publish('r.new', bytes('closed'), stored());
    await pause(50);
    expect(inbox.texts).not.toContain('closed');
    for (const topic of ['r.a', 'r.b', 'r.later']) {
      await until(
        'the member left',
        async () => (await redis.admin.zcard(`disco:{${topic}}:members:g`)) === 0,
      );
    }
  });

  it('keeps the order within each topic where one member at a time is to read', async () => {
    const publisher = await connected();
    const [one, two] = [acknowledging(), acknowledging()];
    for (const { take } of [one, two])
      await (await connected()).subscribe('o.*', member({ exclusive: true, maxInFlight: 3 }), take);
    for (const round of range(20)) {
      for (const topic of ['o.a', 'o.b', 'o.c']) {
        await publisher.publish(topic, bytes(String(round)), stored({ key: 'k' }));
      }
    }
    const got = () => [...one.inbox.deliveries, ...two.inbox.deliveries];
    await until('all came', () => got().length >= 60);
    for (const topic of ['o.a', 'o.b', 'o.c']) {
      const of = (deliveries: readonly Delivery[]) => deliveries.filter((each) => each.topic === topic);
      expect(of(got()).map(textOf)).toEqual(range(20).map(String));
      expect([one, two].filter(({ inbox }) => of(inbox.deliveries).length > 0)).toHaveLength(1);
    }
  });

  it('takes what others wrote for a topic only if it can be one, and goes on beside what cannot be read', async () => {
    const driver = await connected({ topicDiscovery: 200 });
    const log = new StatusLog(driver);
    const names = ['x.with space', 'x.{y}', 'disco:x', '', `x.${'y'.repeat(300)}`, 'x.wrong'];
    await redis.admin.set('disco:{x.wrong}', 'no stream');
    await redis.admin.zadd('disco:stream-topics', ...names.flatMap((name) => [Date.now(), name]));
    const { inbox, take } = acknowledging();
    await driver.subscribe('>', member(), take);
    for (const name of [...names.slice(1), '\u0000', '*'])
      await redis.admin.publish('disco:disco:stream-topics', name);
    await driver.publish('x.good', bytes('good'), stored());
    await inbox.received(1);
    await pause(500);
    expect(inbox.texts).toEqual(['good']);
    expect(log.of('error').map(({ error }) => error.code)).toEqual(['DISCO_DRIVER']);
    const keys = (await redis.admin.keys('disco:{*}')).sort();
    expect(keys).toEqual(['disco:{x.good}', 'disco:{x.wrong}']);
    expect(await rejection(driver.subscribe('a.**', member(), take))).toMatchObject({
      code: 'DISCO_TOPIC_INVALID',
    });
  });

  it('strikes topics off that are gone, and makes nothing for them', async () => {
    const driver = await connected();
    await driver.publish('g.there', bytes('there'), stored());
    await redis.admin.zadd('disco:stream-topics', 1, 'g.there', '1', 'g.gone');
    const { inbox, take } = acknowledging();
    await driver.subscribe('g.*', member(), take);
    await inbox.received(1);
    expect(await redis.admin.zscore('disco:stream-topics', 'g.gone')).toBeNull();
    expect(Number(await redis.admin.zscore('disco:stream-topics', 'g.there'))).toBeGreaterThan(1);
    expect(await redis.admin.exists('disco:{g.gone}')).toBe(0);
  });

  it('has a publisher strike off what is gone, where nobody subscribes to patterns', async () => {
    const driver = await connected();
    await redis.admin.zadd('disco:stream-topics', 1, 'g.gone');
    await driver.publish('other', bytes('m'), stored());
    const listed = () => redis.admin.zrange('disco:stream-topics', '0', '-1');
    await until('it is gone', async () => String(await listed()) === 'other');
  });

  it('does not count members that only patterns have as none', async () => {
    const driver = await connected();
    expect(await driver.countMembers('c.new', 'g')).toBe(0);
    await driver.subscribe('c.*', member(), () => undefined);
    expect(await driver.countMembers('c.new', 'g')).toBeUndefined();
    expect(await driver.countMembers('c.new', 'other')).toBe(0);
    expect(await driver.countMembers('d.new', 'g')).toBe(0);
    await driver.publish('c.new', bytes('m'), stored());
    await until('it is joined', async () => (await driver.countMembers('c.new', 'g')) === 1);
  });

  it('does not accept what it cannot list', async () => {
    const driver = await connected();
    await redis.admin.set('disco:stream-topics', 'no list');
    const error = await rejection(driver.publish('u.a', bytes('m'), stored()));
    expect(error).toMatchObject({ code: 'DISCO_PUBLISH_OUTCOME_UNKNOWN', topic: 'u.a' });
    expect((error.cause as Error).message).toContain('WRONGTYPE');
    await redis.admin.del('disco:stream-topics');
    await driver.publish('u.a', bytes('m'), stored());
    expect(await redis.admin.zcard('disco:stream-topics')).toBe(1);
  });

  it('leaves nothing behind when the driver is closed while it subscribes', async () => {
    const publisher = await connected();
    await Promise.all(range(200).map((index) => publisher.publish(`q.t${index}`, bytes('m'), stored())));
    const driver = await connected();
    const log = new StatusLog(driver);
    const { take } = acknowledging();
    const subscribing = driver.subscribe('q.*', member(), take).then(
      () => undefined,
      ({ code }: { code?: string }) => code,
    );
    await until('some are joined', async () => (await redis.admin.keys('disco:{q.*}:members:g')).length > 0);
    await driver.close();
    expect([undefined, 'DISCO_CLOSED', 'DISCO_NOT_CONNECTED']).toContain(await subscribing);
    expect(log.of('error')).toEqual([]);
    const connections = async () =>
      ((await redis.admin.client('LIST')) as string).match(/name=disco:/g)?.length;
    await until('its connections are closed', async () => (await connections()) === 2);
  });

  it('rejects when Redis cannot be reached', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const driver = await drivers.connected({ url: proxy.url, connectTimeout: 300 });
      await proxy.stop();
      const subscribing = driver.subscribe('n.*', member(), () => undefined);
      expect(await rejection(subscribing)).toMatchObject({ code: 'DISCO_NOT_CONNECTED' });
    } finally {
      await drivers.close();
      await proxy.stop().catch(() => undefined);
    }
  });

  const pending = (topic: string) => redis.admin.xpending(`disco:{${topic}}`, 'g');
});
