import { Redis } from 'ioredis';
import type { RedisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { Drivers } from '../support/redis-harness.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { report } from './fault-report.js';
import { scaled } from './pubsub-load.js';
import { Journal } from './streams-processes.js';

const inFlight = 10;
const CLAIM_AFTER_MS = 600;

describe('Faults of group members on Redis Streams', () => {
  const drivers = new Drivers();
  let server: RedisServer;
  let admin: Redis;
  let journal: Journal;

  beforeEach(async () => {
    server = await RedisServer.start();
    admin = new Redis(server.url);
    journal = new Journal();
  });
  afterEach(async () => {
    await drivers.close();
    admin.disconnect();
    await server.stop();
  });

  const connect = (url = server.url) => drivers.connected({ url, streams: { claimAfter: CLAIM_AFTER_MS } });
  const publish = (driver: RedisDriver, n: number) =>
    driver.publish('t', Buffer.from(String(n)), {
      delivery: 'at-least-once',
      id: `m${n}`,
      timeoutMs: 10_000,
    });
  const subscribe = (driver: RedisDriver, settles: boolean) =>
    driver.subscribe(
      't',
      { delivery: 'at-least-once', group: 'g', maxInFlight: inFlight, startFrom: 'beginning' },
      (delivery) => {
        const n = Number(Buffer.from(delivery.frame).toString());
        journal.add({ type: 'begun', n, attempt: delivery.attempt, at: Date.now() });
        if (!settles) return;
        // Handled: whether the answer to the acknowledgement comes through is another matter.
        journal.add({ type: 'done', n, attempt: delivery.attempt, at: Date.now() });
        delivery.ack().catch(() => undefined);
      },
    );
  const consumers = async () => {
    const [main, again] = (await Promise.all(
      ['disco:{t}', 'disco:{t}:retry:g'].map((key) => admin.call('XINFO', 'CONSUMERS', key, 'g')),
    )) as unknown[][];
    return Math.max(main.length, again.length);
  };

  it('many short-lived members die while others read', async () => {
    const lives = scaled(100);
    const [publisher, survivor] = [await connect(), await connect()];
    await subscribe(survivor, true);
    let [n, running] = [0, true];
    const load = (async () => {
      while (running) {
        await Promise.all(Array.from({ length: 20 }, () => publish(publisher, n++)));
        await pause(10);
      }
    })();
    let died = 0;
    for (let life = 0; life < lives; life++) {
      const proxy = await FaultProxy.start(server.port);
      const member = await connect(proxy.url);
      const before = journal.begun.size;
      await subscribe(member, life % 2 === 0);
      await until('it reads', () => journal.begun.size > before, 10_000);
      await pause(Math.random() * 200);
      await proxy.stop();
      died++;
    }
    const startedMs = performance.now();
    running = false;
    await load;
    // What was in the hands of three members that died is a dead letter by now: a member that dies looks like a crash.
    const dead = () => admin.xlen('disco:{t}:dead:g');
    await until(
      'all are handled or dead letters',
      async () => journal.done.size + (await dead()) >= n,
      60_000,
    );
    await until('the dead are gone', async () => (await consumers()) <= 1, CLAIM_AFTER_MS * 4 + 5_000);
    const worstRecoveryMs = performance.now() - startedMs;
    const letters = await admin.xrange('disco:{t}:dead:g', '-', '+');
    const given = new Set(letters.map(([, fields]) => Number(fields[fields.indexOf('f') + 1])));
    const lost = journal.lost(n).filter((number) => !given.has(number)).length;
    const { duplicated } = journal;
    const pass = lost === 0 && duplicated <= lives * inFlight;
    report({
      engine: 'streams',
      sent: n,
      faults: died,
      lost,
      duplicated,
      unknown: 0,
      worstRecoveryMs,
      pass,
    });
    expect({ lost, died }).toEqual({ lost: 0, died: lives });
    expect(duplicated).toBeLessThanOrEqual(lives * inFlight);
  }, 240_000);

  it('handlers never settle', async () => {
    const total = scaled(10_000);
    const [publisher, ...members] = [await connect(), await connect(), await connect()];
    for (const member of members) await subscribe(member, false);
    await Promise.all(Array.from({ length: total }, (_, n) => publish(publisher, n)));
    const places = members.length * inFlight;
    await until('all places are taken', () => journal.begun.size === places, 10_000);
    let most = 0;
    for (let look = 0; look < 30; look++) {
      await pause(100);
      const pending = (await admin.xpending('disco:{t}', 'g')) as number[];
      most = Math.max(most, pending[0]);
    }
    const again = journal.entries.filter(({ attempt }) => attempt > 1).length;
    const pass = most <= places && again === 0 && journal.begun.size === places;
    report({
      engine: 'streams',
      sent: total,
      faults: places,
      lost: 0,
      duplicated: again,
      unknown: 0,
      worstRecoveryMs: 0,
      pass,
    });
    expect({ most, again, begun: journal.begun.size }).toEqual({ most: places, again: 0, begun: places });
    expect(await admin.xlen('disco:{t}')).toBe(total);
  }, 60_000);
});
