import type { Redis } from 'ioredis';
import type { Delivery } from '../../../lib/driver/delivery.js';
import { joinBundle } from '../../../lib/message/bundle.js';
import { decodeFrame, encodeFrame } from '../../../lib/message/frame.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bytes, Inbox, rejection, StatusLog } from '../../support/redis-harness.js';
import { pause, until } from '../../support/waiting.js';
import { acknowledging, member, stored, streamsStage, textOf } from './support.js';

const framed = (id: string) =>
  encodeFrame({ id, timestamp: 1, headers: {}, compression: 0, codec: 0, body: '1' });
const idsOf = ({ deliveries }: Inbox) => deliveries.map(({ frame }) => decodeFrame(frame).id);

describe('Redis Streams: consuming', () => {
  const redis = streamsStage();
  const { drivers } = redis;
  const streams = { claimAfter: 600 };

  it.each([
    ['FLUSHALL', () => redis.admin.flushall(), true],
    ['DEL', () => redis.admin.del('disco:{t}'), true],
    ['XGROUP DESTROY', () => redis.admin.xgroup('DESTROY', 'disco:{t}', 'g'), false],
  ])('consumes again within a second after %s', async (_, harm, loses) => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const log = new StatusLog(driver);
    const { inbox, take } = acknowledging();
    await driver.subscribe('t', member(), take);
    await driver.publish('t', bytes('before'), stored());
    await inbox.received(1);
    await until(
      'the checkpoint is kept',
      async () => (await redis.admin.hget('disco:{t}:state:g', 'cp')) !== '0-0',
    );
    await harm();
    const startedMs = performance.now();
    await driver.publish('t', bytes('after'), stored());
    await inbox.gets('after');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await pause(100);
    expect(inbox.texts).toEqual(['before', 'after']);
    expect(log.of('data-loss')).toEqual(loses ? [{ type: 'data-loss', topic: 't' }] : []);
  });

  it('loses nothing that was not handled when the group is destroyed', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await driver.publish('t', bytes('handled'), stored());
    await inbox.received(1);
    await inbox.deliveries[0].ack();
    await driver.publish('t', bytes('held'), stored());
    await inbox.received(2);
    const checkpoint = () => redis.admin.hget('disco:{t}:state:g', 'cp');
    const upTo = (one: string, other: string) => one.localeCompare(other, 'en', { numeric: true }) <= 0;
    const [handled, held] = inbox.deliveries.map(({ position }) => position!);
    await until('the checkpoint is kept', async () => {
      const kept = (await checkpoint())!;
      return upTo(handled, kept) && upTo(kept, held);
    });
    await redis.admin.xgroup('DESTROY', 'disco:{t}', 'g');
    const pending = async () =>
      ((await redis.admin.xpending('disco:{t}', 'g').catch(() => [-1])) as number[])[0];
    await until('the group has it again', async () => (await pending()) === 1);
    // It is in hand still, so it is not handed over twice; its outcome counts.
    await inbox.deliveries[1].ack();
    expect(await pending()).toBe(0);
    expect(inbox.texts).toEqual(['handled', 'held']);
  });

  it('keeps a retry to the group that failed, in a stream of its own', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const { inbox: other, take } = acknowledging();
    await driver.subscribe('t', member({ group: 'other' }), take);
    const failing = new Inbox();
    await driver.subscribe('t', member({ group: 'failing' }), (delivery) => {
      failing.take(delivery);
      void (delivery.attempt < 3 ? delivery.retry(delivery.attempt === 1 ? 0 : 50) : delivery.ack());
    });
    const { position } = await driver.publish('t', bytes('m'), stored());
    await failing.received(3);
    await pause(100);
    expect(failing.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(failing.deliveries.map((delivery) => delivery.position)).toEqual([position, position, position]);
    expect(other.texts).toEqual(['m']);
    expect(await addedTo(redis.admin, 'disco:{t}')).toBe(1);
    expect(await addedTo(redis.admin, 'disco:{t}:retry:failing')).toBe(2);
    expect(await addedTo(redis.admin, 'disco:{t}:retry:other')).toBe(0);
  });

  it('trims what every group has handled, and nothing else', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const { inbox: quick, take } = acknowledging();
    const slow = new Inbox();
    await driver.subscribe('t', member({ group: 'quick' }), take);
    await driver.subscribe('t', member({ group: 'slow', maxInFlight: 100 }), slow.take);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => driver.publish('t', bytes(`m${index}`), stored())),
    );
    await Promise.all([quick.received(20), slow.received(20)]);
    for (const delivery of slow.deliveries.slice(0, 5)) await delivery.ack();
    await until('five are trimmed', async () => (await redis.admin.xlen('disco:{t}')) === 15);
    await pause(400);
    expect(await redis.admin.xlen('disco:{t}')).toBe(15);
    for (const delivery of slow.deliveries.slice(5)) await delivery.ack();
    await until('all are trimmed', async () => (await redis.admin.xlen('disco:{t}')) === 0);
  });

  it('finds what it was handed in a reply that was lost, with no attempt counted', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const reader = await drivers.connected({ url: proxy.url, streams: { claimAfter: '30s' } });
      const publisher = await drivers.connected({ url: redis.server.url });
      const log = new StatusLog(reader);
      const { inbox, take } = acknowledging();
      await reader.subscribe('t', member(), take);
      await publisher.publish('t', bytes('warm'), stored());
      await inbox.received(1);
      let last = 0;
      // Over a connection that is not the one that was cut: what that one asks before it reads must be answered.
      const readsAgain = async () => {
        const lines = String(await redis.admin.client('LIST')).split('\n');
        const blocked = lines.filter((line) => / flags=b/.test(line) && line.includes('cmd=xreadgroup'));
        const newest = Math.max(0, ...blocked.map((line) => Number(/^id=(\d+)/.exec(line)?.[1])));
        if (newest <= last) return false;
        last = newest;
        return true;
      };
      for (let round = 1; round <= 10; round++) {
        await until('it reads', readsAgain);
        proxy.dropReplies();
        await publisher.publish('t', bytes(`m${round}`), stored());
        const held = async () => Number(((await redis.admin.xpending('disco:{t}', 'g')) as unknown[])[0]) > 0;
        await until('it is pending', held);
        await until('the reply is dropped', () => proxy.counts.droppedReplies >= round);
        proxy.cut();
        proxy.pass();
        // Long before anybody could claim it, after 30 s; a claim would count as an attempt.
        await inbox.gets(`m${round}`);
        await log.seen('connected', round);
      }
      expect(inbox.deliveries.every(({ attempt, crashes }) => attempt === 1 && crashes === 0)).toBe(true);
      expect(inbox.texts).toHaveLength(11);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('goes on after CLIENT KILL of every connection, with nothing handled twice', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '30s' } });
    const log = new StatusLog(driver);
    const held = new Inbox();
    await driver.subscribe('t', member(), held.take);
    await driver.publish('t', bytes('held'), stored());
    await held.received(1);
    for (let round = 1; round <= 5; round++) {
      await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await log.seen('connected', round);
      await driver.publish('t', bytes(`m${round}`), stored());
      await held.gets(`m${round}`);
    }
    await Promise.all(held.deliveries.map((delivery) => delivery.ack()));
    expect(held.texts).toEqual(['held', 'm1', 'm2', 'm3', 'm4', 'm5']);
    await until(
      'all are settled',
      async () => ((await redis.admin.xpending('disco:{t}', 'g')) as unknown[])[0] === 0,
    );
  });

  it('settles only what it holds', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await driver.publish('t', bytes('stolen'), stored());
    const [{ position }] = await inbox.received(1);
    await redis.admin.xclaim('disco:{t}', 'g', 'thief', 0, position!);
    expect(await rejection(inbox.deliveries[0].ack())).toMatchObject({
      code: 'DISCO_DRIVER',
      retryable: false,
    });
    const [[id, owner]] = (await redis.admin.xpending('disco:{t}', 'g', '-', '+', 10)) as [string, string][];
    expect([id, owner]).toEqual([position, 'thief']);
    expect(await redis.admin.exists('disco:{t}:dead:g')).toBe(0);
  });

  it('hands over what a closing driver leaves unsettled, within two seconds', async () => {
    const leaving = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '30s' } });
    const staying = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '30s' } });
    const held = new Inbox();
    await leaving.subscribe('t', member(), held.take);
    await leaving.publish('t', bytes('m'), stored());
    await held.received(1);
    const { inbox, take } = acknowledging();
    await staying.subscribe('t', member(), take);
    const startedMs = performance.now();
    await leaving.close();
    const [{ attempt, crashes }] = await inbox.received(1, 2_000);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    // It was handed to a handler, so it is another attempt, but no failure: it does not count against the policy.
    expect([attempt, crashes]).toEqual([2, 1]);
    const consumers = (await redis.admin.call('XINFO', 'CONSUMERS', 'disco:{t}', 'g')) as unknown[];
    expect(consumers.length).toBeLessThanOrEqual(1);
  });

  it('closing again and again is no crash', async () => {
    const inbox = new Inbox();
    for (let round = 0; round < 5; round++) {
      const driver = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '30s' } });
      if (round === 0) await driver.publish('t', bytes('m'), stored());
      await driver.subscribe('t', member(), inbox.take);
      await inbox.received(round + 1);
      await driver.close();
    }
    expect(inbox.deliveries.map(({ attempt, crashes }) => [attempt, crashes])).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
      [5, 4],
    ]);
    expect(await redis.admin.exists('disco:{t}:dead:g')).toBe(0);
  });

  it('dead-letters corrupt entries at once with their bytes, and goes on', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const { inbox, take } = acknowledging();
    await redis.admin.xadd('disco:{t}', '*', 'foreign', 'value', 'other', 'thing');
    await driver.subscribe('t', member(), take);
    await redis.admin.xadd('disco:{t}', '*', 'x', 'no frame');
    await driver.publish('t', bytes('good'), stored());
    await inbox.received(1);
    const dead = await driver.deadLetters('t', 'g');
    await until('both are dead letters', async () => (await dead.count()) === 2);
    const letters = await dead.list({ limit: 10 });
    expect(letters.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      ['undecodable', 1],
      ['undecodable', 1],
    ]);
    expect(textOf(letters[0] as unknown as Delivery)).toContain('value');
    expect(inbox.texts).toEqual(['good']);
  });

  it('notices entries that were trimmed away while they were pending', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const crashing = await drivers.connected({ url: proxy.url, streams });
      const held = new Inbox();
      await crashing.subscribe('t', member(), held.take);
      await crashing.publish('t', bytes('gone'), stored());
      await held.received(1);
      await proxy.stop();
      await redis.admin.xtrim('disco:{t}', 'MAXLEN', 0);
      const driver = await drivers.connected({ url: redis.server.url, streams });
      const log = new StatusLog(driver);
      const { inbox, take } = acknowledging();
      await driver.subscribe('t', member(), take);
      await log.seen('data-loss');
      await driver.publish('t', bytes('next'), stored());
      await inbox.received(1);
      expect(inbox.texts).toEqual(['next']);
      await until(
        'nothing is pending',
        async () => ((await redis.admin.xpending('disco:{t}', 'g')) as unknown[])[0] === 0,
      );
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('takes over from a dead member, counts the crash, and deletes its consumer', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const crashing = await drivers.connected({ url: proxy.url, streams });
      const held = new Inbox();
      await crashing.subscribe('t', member(), held.take);
      await Promise.all(['a', 'b', 'c'].map((text) => crashing.publish('t', bytes(text), stored())));
      await held.received(3);
      const [dead] = await consumersOf(redis.admin, 'disco:{t}');
      const driver = await drivers.connected({ url: redis.server.url, streams });
      const { inbox, take } = acknowledging();
      await driver.subscribe('t', member(), take);
      await proxy.stop();
      const startedMs = performance.now();
      await inbox.received(3);
      expect(performance.now() - startedMs).toBeGreaterThan(300);
      expect(new Set(inbox.texts)).toEqual(new Set(['a', 'b', 'c']));
      expect(inbox.deliveries.map(({ attempt, crashes }) => [attempt, crashes])).toEqual([
        [2, 1],
        [2, 1],
        [2, 1],
      ]);
      for (const key of ['disco:{t}', 'disco:{t}:retry:g']) {
        const there = async () => (await consumersOf(redis.admin, key)).includes(dead);
        await until('the dead one is gone', async () => !(await there()));
      }
      expect(await consumersOf(redis.admin, 'disco:{t}:retry:g')).toHaveLength(1);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('runs what crashed before alone, and the messages of its bundle one by one', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const bundle = joinBundle(['a', 'b', 'c'].map(framed));
    await redis.admin.xgroup('CREATE', 'disco:{t}:retry:g', 'g', '0', 'MKSTREAM');
    await redis.admin.xadd(
      'disco:{t}:retry:g',
      '*',
      'f',
      bundle,
      'a',
      1,
      'c',
      1,
      'n',
      0,
      'o',
      '5-0',
      'x',
      '',
      'r',
      0,
      's',
      '1',
    );
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await inbox.received(1);
    await driver.publish('t', framed('other'), stored());
    await pause(100);
    expect(idsOf(inbox)).toEqual(['a']);
    const marks = await redis.admin.hgetall('disco:{t}:state:g');
    expect(Object.keys(marks).some((field) => field.startsWith('running:'))).toBe(true);
    await inbox.deliveries[0].ack();
    await inbox.received(2);
    await pause(50);
    expect(idsOf(inbox)).toEqual(['a', 'c']);
    await inbox.deliveries[1].ack();
    await inbox.received(3);
    expect(idsOf(inbox)).toEqual(['a', 'c', 'other']);
    expect(
      inbox.deliveries.map(({ attempt, crashes, position }) => [attempt, crashes, position]),
    ).toMatchObject([
      [3, 1, '5-0#0'],
      [3, 1, '5-0#2'],
      [1, 0, expect.any(String)],
    ]);
  });

  it('spares what ran in other topics while a suspect was tried, and tries it alone next', async () => {
    const proxy = await FaultProxy.start(redis.server.port);
    try {
      const crashing = await drivers.connected({ url: proxy.url, streams: { claimAfter: '1s' } });
      const beside = new Inbox();
      await crashing.subscribe('beside', member(), beside.take);
      await crashing.publish('beside', bytes('innocent'), stored());
      await beside.received(1);
      await redis.admin.xgroup('CREATE', 'disco:{t}:retry:g', 'g', '0', 'MKSTREAM');
      const fields = { f: 'suspect', a: 0, c: 1, n: 0, o: '5-0', x: '', r: 0 };
      await redis.admin.xadd('disco:{t}:retry:g', '*', ...Object.entries(fields).flat());
      const suspects = new Inbox();
      await crashing.subscribe('t', member(), suspects.take);
      await suspects.received(1);
      const marks = Object.values(await redis.admin.hgetall('disco:{beside}:state:g'));
      expect(marks.filter((mark) => mark.startsWith('-'))).toHaveLength(1);
      await proxy.stop();
      const driver = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '1s' } });
      const [again, besideAgain] = [acknowledging(), new Inbox()];
      await driver.subscribe('t', member(), again.take);
      await driver.subscribe('beside', member(), besideAgain.take);
      const [innocent] = await besideAgain.received(1, 5_000);
      expect([innocent.attempt, innocent.crashes]).toEqual([1, 0]);
      await driver.publish('beside', bytes('next'), stored());
      await pause(100);
      expect(besideAgain.texts).toEqual(['innocent']);
      await innocent.ack();
      await besideAgain.gets('next');
      const [suspect] = await again.inbox.received(1, 5_000);
      expect([suspect.attempt, suspect.crashes]).toEqual([3, 2]);
    } finally {
      await drivers.close();
      await proxy.stop();
    }
  });

  it('waits for what ran alone no longer than claimAfter', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    await redis.admin.xgroup('CREATE', 'disco:{t}:retry:g', 'g', '0', 'MKSTREAM');
    await redis.admin.xadd(
      'disco:{t}:retry:g',
      '*',
      'f',
      'stuck',
      'a',
      0,
      'c',
      1,
      'n',
      0,
      'o',
      '5-0',
      'x',
      '',
      'r',
      0,
    );
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await inbox.gets('stuck');
    await driver.publish('t', bytes('next'), stored());
    await inbox.gets('next', 3_000);
  });

  it('keeps to the places of each subscription while it reads many topics', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const places = [1, 2, 7, 50];
    const inboxes = await Promise.all(
      places.map(async (maxInFlight) => {
        const inbox = new Inbox();
        await driver.subscribe(`t${maxInFlight}`, member({ maxInFlight }), inbox.take);
        return inbox;
      }),
    );
    const publishing = places.flatMap((place) =>
      Array.from({ length: 60 }, (_, index) => driver.publish(`t${place}`, bytes(String(index)), stored())),
    );
    await Promise.all(publishing);
    await Promise.all(inboxes.map((inbox, index) => inbox.received(places[index])));
    await pause(100);
    expect(inboxes.map(({ deliveries }) => deliveries.length)).toEqual(places);
    for (const [index, place] of places.entries()) {
      const pending = ((await redis.admin.xpending(`disco:{t${place}}`, 'g')) as unknown[])[0];
      expect(pending).toBe(places[index]);
    }
    await Promise.all(inboxes.map((inbox) => inbox.deliveries[0].ack()));
    await Promise.all(inboxes.map((inbox, index) => inbox.received(places[index] + 1)));
  });

  it('retries what Redis refuses for now, and keeps the entry pending', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await driver.publish('t', bytes('bad'), stored());
    await inbox.received(1);
    await redis.admin.config('SET', 'min-replicas-to-write', '1');
    const settling = inbox.deliveries[0].deadLetter({ reason: 'attempts' });
    await pause(300);
    expect(((await redis.admin.xpending('disco:{t}', 'g')) as unknown[])[0]).toBe(1);
    expect(await redis.admin.xlen('disco:{t}:dead:g')).toBe(0);
    await redis.admin.config('SET', 'min-replicas-to-write', '0');
    await settling;
    expect(((await redis.admin.xpending('disco:{t}', 'g')) as unknown[])[0]).toBe(0);
    expect(await redis.admin.xlen('disco:{t}:dead:g')).toBe(1);
  });

  it('writes the progress of a bundle once for a turn, and not at all when the turn settles it', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams: { claimAfter: '30s' } });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await driver.publish('t', bytes('bundle'), stored());
    const [bundle] = await inbox.received(1);
    const part = (index: number) => ({ index, frame: bytes(`part${index}`) });
    for (let index = 0; index < 10; index++) void bundle.ack(part(index));
    await until('it is written', async () => (await redis.admin.hlen('disco:{t}:parts:g')) === 1);
    const [[, list]] = Object.entries(await redis.admin.hgetall('disco:{t}:parts:g'));
    expect(list).toBe('0,1,2,3,4,5,6,7,8,9');
    void bundle.ack(part(10));
    await bundle.ack();
    expect(await redis.admin.exists('disco:{t}:parts:g')).toBe(0);
  });

  it('gives back every part that is retried in one turn, beside others that are settled otherwise', async () => {
    const driver = await drivers.connected({ url: redis.server.url, streams });
    const inbox = new Inbox();
    await driver.subscribe('t', member(), inbox.take);
    await driver.publish('t', bytes('bundle'), stored());
    const [bundle] = await inbox.received(1);
    const part = (index: number) => ({ index, frame: bytes(`part${index}`) });
    await redis.admin.config('SET', 'maxmemory', '1');
    const settling = Promise.all([
      bundle.ack(part(0)),
      bundle.retry(0, part(1)),
      bundle.ack(part(2)),
      bundle.retry(20, part(3)),
      bundle.deadLetter({ reason: 'attempts' }, part(4)),
      bundle.retry(0, part(5)),
    ]);
    await pause(50);
    await redis.admin.config('SET', 'maxmemory', '0');
    await settling;
    await bundle.ack();
    await inbox.received(4);
    expect(new Set(inbox.texts)).toEqual(new Set(['bundle', 'part1', 'part3', 'part5']));
    const dead = await (await driver.deadLetters('t', 'g')).list({ limit: 9 });
    expect(dead.map(({ frame }) => Buffer.from(frame).toString())).toEqual(['part4']);
    expect(await redis.admin.exists('disco:{t}:parts:g')).toBe(0);
  });

  it('refuses an impossible group', async () => {
    const driver = await drivers.connected({ url: redis.server.url });
    const error = await rejection(driver.subscribe('a', member({ group: '' }), () => undefined));
    expect(error).toMatchObject({ code: 'DISCO_CONFIGURATION' });
  });
});

async function addedTo(admin: Redis, key: string): Promise<number> {
  const info = (await admin.call('XINFO', 'STREAM', key)) as unknown[];
  return Number(info[info.indexOf('entries-added') + 1]);
}

async function consumersOf(admin: Redis, key: string): Promise<string[]> {
  const consumers = (await admin.call('XINFO', 'CONSUMERS', key, 'g')) as string[][];
  return consumers.map((fields) => fields[1]);
}
