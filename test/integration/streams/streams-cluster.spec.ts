import { Cluster } from 'ioredis';
import { RedisCluster } from '../../support/redis-cluster.js';
import { bytes, Drivers, Inbox, rejection } from '../../support/redis-harness.js';
import { RedisSentinel } from '../../support/redis-sentinel.js';
import { until } from '../../support/waiting.js';
import { acknowledging, member, stored, textOf } from './support.js';

describe('Redis Streams in a Cluster', () => {
  const drivers = new Drivers();
  let cluster: RedisCluster;
  let admin: Cluster;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
    admin = new Cluster(cluster.addresses);
  }, 60_000);
  afterEach(() => drivers.close());
  afterAll(async () => {
    admin.disconnect();
    await cluster.stop();
  });

  const connected = () =>
    drivers.connected({ cluster: { nodes: cluster.addresses }, streams: { claimAfter: 1_000, block: '1s' } });

  it('publishes, shares out, retries and dead-letters topics of every node', async () => {
    const [publisher, one, other] = [await connected(), await connected(), await connected()];
    const topics = Array.from({ length: 6 }, (_, index) => `orders-${index}`);
    const inbox = new Inbox();
    const handle = (delivery: Parameters<Inbox['take']>[0]) => {
      inbox.take(delivery);
      const text = textOf(delivery);
      if (text === 'bad') void delivery.deadLetter({ reason: 'attempts' });
      else void (text === 'again' && delivery.attempt === 1 ? delivery.retry(50) : delivery.ack());
    };
    for (const topic of topics)
      for (const driver of [one, other]) await driver.subscribe(topic, member(), handle);
    const texts = ['good', 'again', 'bad'];
    await Promise.all(
      topics.flatMap((topic) => texts.map((text) => publisher.publish(topic, bytes(text), stored()))),
    );
    await inbox.received(topics.length * 4);
    const slots = new Set(
      await Promise.all(topics.map((topic) => admin.cluster('KEYSLOT', `disco:{${topic}}`))),
    );
    expect(slots.size).toBeGreaterThan(3);
    for (const topic of topics) {
      const dead = await one.deadLetters(topic, 'g');
      expect(await dead.count()).toBe(1);
      await until('all is trimmed', async () => (await admin.xlen(`disco:{${topic}}`)) === 0);
    }
  }, 60_000);

  it('tells of topics of every node what waits, and who holds what', async () => {
    const [publisher, reader] = [await connected(), await connected()];
    const topics = Array.from({ length: 6 }, (_, index) => `seen-${index}`);
    for (const topic of topics) {
      await publisher.publish(topic, bytes('bundle'), stored({ messages: 5 }));
      await publisher.publish(topic, bytes('lone'), stored());
      await reader.subscribe(topic, member({ maxInFlight: 1 }), () => undefined);
    }
    await until('each first one is held, each second one waits', async () => {
      const seen = await publisher.inspectTopics({ after: 'seen', limit: 10 });
      const numbers = seen.map(({ topic, groups: [{ waiting, held, exact }] }) => ({
        topic,
        waiting,
        held,
        exact,
      }));
      return (
        JSON.stringify(numbers.filter(({ topic }) => topics.includes(topic))) ===
        JSON.stringify(topics.map((topic) => ({ topic, waiting: 1, held: 5, exact: true })))
      );
    });
  }, 30_000);

  it('reads topic patterns over topics of every node, also those that turn up later', async () => {
    const [publisher, driver] = [await connected(), await connected()];
    const { inbox, take } = acknowledging();
    const names = (from: number) => Array.from({ length: 4 }, (_, index) => `wide.t${from + index}`);
    await Promise.all(names(0).map((topic) => publisher.publish(topic, bytes(topic), stored())));
    const subscription = await driver.subscribe('wide.*', member(), take);
    await Promise.all(names(4).map((topic) => publisher.publish(topic, bytes(topic), stored())));
    await inbox.received(8);
    expect([...inbox.texts].sort()).toEqual([...names(0), ...names(4)]);
    await subscription.close();
  }, 30_000);

  it('waits for the replicas of the node that has the topic', async () => {
    const make = (replicas: number) =>
      drivers.connected({
        cluster: { nodes: cluster.addresses },
        streams: { durability: { replicas, timeout: 300 } },
      });
    const [one, two] = [await make(1), await make(2)];
    for (const topic of ['a', 'b', 'c', 'd']) {
      // A replica may still be loading what its primary had.
      await until(`${topic} is replicated`, () =>
        one.publish(topic, bytes('m'), stored()).then(
          ({ position }) => position !== undefined,
          () => false,
        ),
      );
    }
    expect(await rejection(two.publish('a', bytes('m'), stored()))).toMatchObject({
      code: 'DISCO_NOT_REPLICATED',
      replicas: 1,
    });
  }, 30_000);

  it('stores an id once, and gives back what a closing driver holds', async () => {
    const [publisher, leaving, staying] = [await connected(), await connected(), await connected()];
    const options = stored({ deduplicate: true, id: 'same' });
    const first = await publisher.publish('once', bytes('m'), options);
    expect(await publisher.publish('once', bytes('m'), options)).toEqual({ ...first, duplicate: true });
    const held = new Inbox();
    await leaving.subscribe('once', member(), held.take);
    await held.received(1);
    const inbox = new Inbox();
    await staying.subscribe('once', member(), inbox.take);
    await leaving.close();
    const [{ attempt }] = await inbox.received(1, 3_000);
    expect(attempt).toBe(2);
  }, 60_000);
});

describe('Redis Streams behind Sentinels', () => {
  const drivers = new Drivers();
  let sentinel: RedisSentinel;

  beforeAll(async () => {
    sentinel = await RedisSentinel.start();
  }, 60_000);
  afterEach(() => drivers.close());
  afterAll(() => sentinel.stop());

  it('publishes and consumes on the primary', async () => {
    const driver = await drivers.connected({
      sentinel: { sentinels: [...sentinel.sentinels], name: sentinel.name },
    });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), (delivery) => {
      inbox.take(delivery);
      void delivery.ack();
    });
    for (let index = 0; index < 10; index++) await driver.publish('t', bytes(`m${index}`), stored());
    await inbox.received(10);
  }, 30_000);
});
