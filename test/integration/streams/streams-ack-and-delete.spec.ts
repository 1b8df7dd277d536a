import type { Delivery } from '../../../lib/driver/delivery.js';
import { bytes, Inbox } from '../../support/redis-harness.js';
import { pause, until } from '../../support/waiting.js';
import { acknowledging, member, stored, streamsStage, textOf } from './support.js';

// What a server older than Redis 8.2 does is the other half of each test.
describe('Redis Streams: XACKDEL, where the server has it', () => {
  const redis = streamsStage();
  const { drivers } = redis;
  const texts = Array.from({ length: 20 }, (_, index) => `m${index}`);
  const length = () => redis.admin.xlen('disco:{t}');

  async function offered(): Promise<boolean> {
    const [info] = (await redis.admin.call('COMMAND', 'INFO', 'XACKDEL')) as unknown[];
    return Boolean(info);
  }

  /** A driver that was told what the server has. */
  async function connected() {
    const driver = await drivers.connected({ url: redis.server.url, streams: { claimAfter: 600 } });
    const { inbox, take } = acknowledging();
    await driver.subscribe('warm', member(), take);
    for (const text of ['one', 'two']) {
      await driver.publish('warm', bytes(text), stored());
      await inbox.gets(text);
      await until(
        'it is settled',
        async () => Number((await redis.admin.xpending('disco:{warm}', 'g'))[0]) === 0,
      );
    }
    return driver;
  }

  it('keeps nothing that is done behind what is not', async () => {
    const driver = await connected();
    const inbox = new Inbox();
    await driver.subscribe('t', member({ maxInFlight: 30 }), (delivery: Delivery) => {
      inbox.take(delivery);
      if (textOf(delivery) !== 'm0') void delivery.ack();
    });
    for (const text of texts) await driver.publish('t', bytes(text), stored());
    await inbox.received(20);
    await until(
      'all others are settled',
      async () => Number((await redis.admin.xpending('disco:{t}', 'g'))[0]) === 1,
    );
    expect(await length()).toBe((await offered()) ? 1 : 20);
    await inbox.deliveries[0].ack();
    await until('nothing is kept', async () => (await length()) === 0);
  });

  it('keeps what another group has not read, or not acknowledged', async () => {
    const driver = await connected();
    await driver.subscribe('t', member({ group: 'idle' }), () => undefined).then((idle) => idle.close());
    const { inbox, take } = acknowledging();
    await driver.subscribe('t', member({ maxInFlight: 30 }), take);
    for (const text of texts) await driver.publish('t', bytes(text), stored());
    await inbox.received(20);
    await pause(100);
    expect(await length()).toBe(20);
    const other = new Inbox();
    await driver.subscribe('t', member({ group: 'idle', maxInFlight: 30 }), other.take);
    await other.received(20);
    expect(await length()).toBe(20);
    for (const delivery of other.deliveries) await delivery.ack();
    await until('nothing is kept', async () => (await length()) === 0);
  });
});
