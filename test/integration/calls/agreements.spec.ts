import { Redis } from 'ioredis';
import type { BusStatus } from '../../../lib/bus/bus-status.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { TopicOptions } from '../../../lib/contract/topic-options.js';
import type { DiscoDriver } from '../../../lib/driver/driver.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { Inbox } from '../../unit/bus/support.js';
import { engines, useEngines } from './engines.js';

const silent = { log: () => {}, warn: () => {}, error: () => {} };

let topics = 0;
let topic: string;
const running: DiscoBus[] = [];
const { redis } = useEngines();

beforeEach(() => {
  topic = `orders.${++topics}`;
});
afterEach(() => Promise.all(running.splice(0).map((bus) => bus.stop())));

async function started(driver: DiscoDriver, service: string, said?: TopicOptions): Promise<DiscoBus> {
  const agreed = said && { [topic]: said };
  const bus = new DiscoBus({ driver, service, topics: agreed, logger: silent, shutdownTimeout: '1s' });
  running.push(bus);
  await bus.start();
  return bus;
}

/** What two services say of one topic, and what each is told to be. */
const sides: [said: string, TopicOptions, told: string][] = [
  ['at least once', { delivery: 'at-least-once' }, 'at least once'],
  ['at most once', { delivery: 'at-most-once' }, 'at most once'],
  ["the wire 'go'", { wire: 'go' }, "at most once on the wire 'go'"],
];
const pairs = sides.flatMap((one) =>
  sides
    .filter((other) => other !== one)
    .map((other) => ({ one, other, title: `${one[0]}, then ${other[0]}` })),
);

describe.each(engines)('Services that share topics on $name', ({ driver }) => {
  const pair = (one?: TopicOptions, other?: TopicOptions) =>
    Promise.all([started(driver(), 'web', one), started(driver(), 'billing', other)]);
  const conflict = (mine: string, theirs: string) => ({
    code: 'DISCO_TOPIC_CONFLICT',
    topic,
    message: expect.stringMatching(
      new RegExp(`^"${topic}" is used ${theirs} by service "web".*, and ${mine} by service "billing"`),
    ),
  });

  describe.each(pairs)('who say $title', ({ one, other }) => {
    it('reader first: the publisher is refused, and told both sides', async () => {
      const [web, billing] = await pair(one[1], other[1]);
      await web.subscribe(topic, () => {});
      await expect(billing.publish(topic, 1)).rejects.toMatchObject(conflict(other[2], one[2]));
      await expect(web.publish(topic, 1)).resolves.toBeDefined();
    });

    it('publisher first: the reader is refused, and told both sides', async () => {
      const [web, billing] = await pair(one[1], other[1]);
      await web.publish(topic, 1);
      await expect(billing.subscribe(topic, () => {})).rejects.toMatchObject(conflict(other[2], one[2]));
      await expect(web.subscribe(topic, () => {})).resolves.toBeDefined();
    });
  });

  it('nothing of what was refused is sent, and what agrees keeps its order from the first on', async () => {
    const [web, billing] = await pair();
    const inbox = new Inbox<number>();
    const options = { delivery: 'at-most-once' } as const;
    await web.subscribe(topic, (payload: number) => inbox.push(payload), options);
    await expect(billing.publish(topic, -1)).rejects.toMatchObject({ code: 'DISCO_TOPIC_CONFLICT' });
    const numbers = Array.from({ length: 600 }, (_, index) => index);
    for (const number of numbers) {
      billing.publish(topic, number, options).catch(() => {});
      if (number % 50 === 0) await Promise.resolve();
    }
    expect(await inbox.until(600)).toEqual(numbers);
  });

  it('a topic is free again when those who used it have stopped', async () => {
    const [web, billing] = await pair();
    await web.subscribe(topic, () => {}, { delivery: 'at-most-once' });
    await web.publish(topic, 1, { delivery: 'at-most-once' });
    await expect(billing.subscribe(topic, () => {})).rejects.toMatchObject({ code: 'DISCO_TOPIC_CONFLICT' });
    await web.stop();
    await expect(billing.subscribe(topic, () => {})).resolves.toBeDefined();
  });

  it('what a group reads is at least once, also when nobody runs', async () => {
    const [web, billing] = await pair();
    await web.subscribe(topic, () => {}, { group: 'audit' });
    await web.stop();
    await expect(billing.publish(topic, 1, { delivery: 'at-most-once' })).rejects.toThrow(
      `"${topic}" is used at least once by the group audit`,
    );
  });
});

describe('A server that does not let itself be asked', () => {
  it('is used without, and that is told once', async () => {
    const admin = new Redis({ port: redis().port });
    await admin.call('ACL', 'SETUSER', 'fan', 'on', 'nopass', '&*', '+@pubsub', '+@connection', '+info');
    admin.disconnect();
    const bus = new DiscoBus({
      driver: redisDriver({ url: `redis://fan:x@127.0.0.1:${redis().port}` }),
      service: 'web',
      logger: silent,
      defaults: { delivery: 'at-most-once' },
    });
    running.push(bus);
    const errors: Extract<BusStatus, { type: 'error' }>[] = [];
    bus.onStatus((status) => status.type === 'error' && errors.push(status));
    await bus.start();
    const inbox = new Inbox();
    await bus.subscribe(topic, (payload) => inbox.push(payload));
    await bus.publish(topic, 1);
    await bus.publish(`${topic}.other`, 1);
    expect(await inbox.until(1)).toEqual([1]);
    expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('NOPERM')]);
  });
});
