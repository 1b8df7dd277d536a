import type { Delivery } from '../../../lib/driver/delivery.js';
import { bytes } from '../../support/redis-harness.js';
import { until } from '../../support/waiting.js';
import { acknowledging, member, stored, streamsStage } from './support.js';

/** What an id says: all messages ever added, and those of this entry. */
function decode(id: string): { total: number; messages: number } {
  const second = Number(id.split('-')[1]);
  return { total: Math.floor(second / 4096), messages: (second % 4096) + 1 };
}

describe('The running total in the ids of entries, on Redis', () => {
  const redis = streamsStage();
  const { drivers } = redis;
  const stream = 'disco:{orders}';
  const connected = (streams: object = {}) => drivers.connected({ url: redis.server.url, streams });
  const ids = async (key = stream) => (await redis.admin.xrange(key, '-', '+')).map(([id]) => id);
  const totals = async (key = stream) => (await ids(key)).map(decode);
  const counts = () => redis.admin.hgetall(`${stream}:counts`);
  const state = () => redis.admin.hgetall(`${stream}:state:g`);
  /** Messages of the topic behind what the group has read. */
  const waiting = async (group = 'g') => {
    const groups = (await redis.admin.call('XINFO', 'GROUPS', stream)) as string[][];
    const info = groups.find(([, name]) => name === group) as string[];
    return Number((await counts()).t) - decode(info[info.indexOf('last-delivered-id') + 1]).total;
  };

  it('counts the messages of bundles and of lone frames, over several publishers', async () => {
    const [one, other] = [await connected(), await connected()];
    await one.publish('orders', bytes('bundle'), stored({ messages: 32 }));
    await other.publish('orders', bytes('lone'), stored());
    await one.publish('orders', bytes('largest'), stored({ messages: 4_096 }));
    await other.publish('orders', bytes('later'), stored({ delayMs: 20 }));
    await until('it is there', async () => (await ids()).length === 4);
    expect(await totals()).toEqual([
      { total: 32, messages: 32 },
      { total: 33, messages: 1 },
      { total: 4_129, messages: 4_096 },
      { total: 4_130, messages: 1 },
    ]);
    expect(await counts()).toEqual({ t: '4130', last: (await ids()).at(-1) });
  });

  it('counts what waits for a group, and for one that begins behind what was trimmed', async () => {
    const driver = await connected();
    const { inbox, take } = acknowledging();
    const first = await driver.subscribe('orders', member(), take);
    for (const messages of [32, 7, 1]) await driver.publish('orders', bytes('m'), stored({ messages }));
    await inbox.received(3);
    await until('it is trimmed', async () => (await ids()).length === 0);
    expect(await waiting()).toBe(0);
    await first.close();
    await driver.publish('orders', bytes('m'), stored({ messages: 5 }));
    await driver.publish('orders', bytes('m'), stored({ messages: 2 }));
    expect(await waiting()).toBe(7);
    const late = await driver.subscribe('orders', member({ group: 'late', maxInFlight: 1 }), () => undefined);
    await until('one entry is read', async () => (await waiting('late')) === 2);
    await late.close();
  });

  it('says what nobody will read, where full topics drop', async () => {
    const driver = await connected({ retention: 'drop-oldest', maxLength: 2 });
    const idle = await driver.subscribe('orders', member({ maxInFlight: 1 }), () => undefined);
    await driver.publish('orders', bytes('held'), stored());
    await until('it is held', async () => (await waiting()) === 0);
    for (const messages of [8, 4, 2]) await driver.publish('orders', bytes('m'), stored({ messages }));
    expect(await totals()).toEqual([
      { total: 13, messages: 4 },
      { total: 15, messages: 2 },
    ]);
    expect(await counts()).toMatchObject({ t: '15', cut: '9' });
    await idle.close();
  });

  it('goes on behind what others wrote, and says since when it counts', async () => {
    const driver = await connected();
    const foreign = (await redis.admin.xadd(stream, '*', 'f', 'old')) as string;
    await driver.publish('orders', bytes('m'), stored({ messages: 3 }));
    expect(await counts()).toMatchObject({ t: '3', since: foreign });
    const ahead = `${Date.now() + 60_000}-9`;
    await redis.admin.xadd(stream, ahead, 'f', 'of a clock that is ahead');
    await driver.publish('orders', bytes('m'), stored({ messages: 2 }));
    expect((await totals()).at(-1)).toEqual({ total: 5, messages: 2 });
    expect(await counts()).toMatchObject({ t: '5', since: ahead });
  });

  it('begins again with the stream', async () => {
    const driver = await connected();
    await driver.publish('orders', bytes('m'), stored({ messages: 3 }));
    await redis.admin.del(stream);
    await driver.publish('orders', bytes('m'), stored({ messages: 2 }));
    expect(await counts()).toEqual({ t: '2', last: (await ids())[0] });
    await redis.admin.del(`${stream}:counts`);
    await driver.publish('orders', bytes('m'), stored());
    expect((await totals()).at(-1)).toEqual({ total: 3, messages: 1 });
  });

  it('counts what comes back without the parts that are settled, and dead letters by their reasons', async () => {
    const driver = await connected();
    const taken: Delivery[] = [];
    const subscription = await driver.subscribe('orders', member({ maxInFlight: 4 }), (delivery) => {
      taken.push(delivery);
    });
    await driver.publish('orders', bytes('bundle'), stored({ messages: 4 }));
    await until('it is taken', () => taken.length === 1);
    await taken[0].ack({ index: 0, frame: bytes('0') });
    await taken[0].retry(0, { index: 1, frame: bytes('1') });
    await until('the retry is taken', () => taken.length === 2);
    await taken[0].deadLetter({ reason: 'attempts' }, { index: 2, frame: bytes('2') });
    expect(await totals(`${stream}:retry:g`)).toEqual([{ total: 1, messages: 1 }]);
    expect(await state()).toMatchObject({ rt: '1', 'dead:attempts': '1', deadm: '1' });
    await subscription.close();
    await driver.close();
    // What is left of the bundle, and the retry, in either order.
    const back = (await ids(`${stream}:retry:g`)).slice(-2);
    const bundle = back.find((id) => decode(id).messages === 4);
    expect({ total: decode(back[1]).total, bundle }).toEqual({ total: 3, bundle: expect.any(String) });
    expect(await redis.admin.hget(`${stream}:parts:g`, `R${bundle}`)).toBe('0,1,2');
  });

  it('counts dead letters out again when they are replayed, removed or purged', async () => {
    const driver = await connected();
    await driver.subscribe('orders', member(), (delivery) => {
      delivery.deadLetter({ reason: 'unrecoverable' }).catch(() => undefined);
    });
    for (const messages of [5, 1, 1]) await driver.publish('orders', bytes('m'), stored({ messages }));
    await until('they are dead', async () => (await state())['dead:unrecoverable'] === '3');
    expect((await state()).deadm).toBe('7');
    const letters = await driver.deadLetters('orders', 'g');
    const [first, second] = await letters.list({ limit: 3 });
    expect(await letters.replay(first.position)).toBe(true);
    await until('it is dead again', async () => (await state()).deadm === '7');
    // The entry itself may be trimmed by now, as it is handled.
    expect(decode((await state()).rlast)).toEqual({ total: 5, messages: 5 });
    expect(await letters.remove(second.position)).toBe(true);
    expect(await state()).toMatchObject({ 'dead:unrecoverable': '2', deadm: '6' });
    expect(await letters.purge()).toBe(2);
    const left = Object.keys(await state()).filter((name) => name.startsWith('dead'));
    expect(left).toEqual([]);
  });

  it('says of each member who it is and what it has in hand', async () => {
    const driver = await connected();
    await driver.subscribe('orders', member({ maxInFlight: 4, tellsBegin: true }), (delivery) => {
      delivery.begin?.({ index: 0, frame: bytes('0') });
    });
    await driver.publish('orders', bytes('m'), stored({ messages: 8 }));
    const info = async () => {
      const [, json = '{}'] = Object.entries(await state()).find(([name]) => name.startsWith('info:')) ?? [];
      return JSON.parse(json);
    };
    await until('it is written', async () => (await info()).running === 1);
    const { pid, version, held, since, at } = await info();
    expect({ pid, held }).toEqual({ pid: process.pid, held: 8 });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(at).toBeGreaterThanOrEqual(since);
  });
});
