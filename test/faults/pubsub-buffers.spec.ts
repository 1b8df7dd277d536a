import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import type { DeliveryGuarantee } from '../../lib/driver/capabilities.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { RedisServer } from '../support/redis-server.js';
import { bundledProgram } from '../support/source-process.js';
import { pause, until } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import type { ConsumerNews } from './pubsub-consumer.js';

// Fewer than this fit into the buffers of the sockets, and nothing happens.
const [total, rounds] = [3_000, full ? 10 : 1];
const WORK_MS = 1;
/** So long the handler is busy with the first message of a flood. */
const HOLD_MS = 4_000;
/** 10 kB that no compression makes smaller. */
const note = randomBytes(7_500).toString('base64');
const MOST_RSS_MB = 150;
/** The number of messages that only show that somebody listens. */
const PROBE = -1;

describe('A consumer that is slower than what is sent to it', () => {
  let server: RedisServer;
  let publisher: DiscoBus;
  let consumer: ChildProcess;
  let news: ConsumerNews[];
  /** How often each message was handled. */
  let handled: Map<number, number>;
  let probed = false;

  const of = (type: string) => news.filter((each) => each.type === type);

  beforeEach(async () => {
    server = await RedisServer.start('--logfile', 'server.log');
    const admin = new Redis(server.url);
    await admin.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 0 0');
    admin.disconnect();
    publisher = new DiscoBus({ driver: redisDriver({ url: server.url }), service: 'publishers' });
    await publisher.start();
    [news, handled] = [[], new Map()];
  });
  afterEach(async () => {
    const exited = new Promise((resolve) => consumer.once('exit', resolve));
    consumer.kill('SIGKILL');
    await exited;
    await publisher.stop();
    await server.stop();
  });

  async function consume(delivery: DeliveryGuarantee): Promise<void> {
    const script = bundledProgram(join(__dirname, 'pubsub-consumer.ts'));
    consumer = fork(script, [server.url, delivery, String(WORK_MS)], { execArgv: [] });
    consumer.on('message', (told: ConsumerNews) => {
      news.push(told);
      if (told.n === PROBE) probed = true;
      else if (told.n !== undefined) handled.set(told.n, (handled.get(told.n) ?? 0) + 1);
    });
    await until('it listens', () => of('ready').length > 0);
  }

  /** All at once; resolves with how many were accepted. */
  async function flood(delivery: DeliveryGuarantee, from: number): Promise<number> {
    let accepted = 0;
    for (let n = from; n < from + total; n += 100) {
      const some = Array.from({ length: 100 }, (_, index) =>
        publisher.publish(
          'load',
          { n: n + index, note, ...(n + index === from && { holdMs: HOLD_MS }) },
          { delivery, timeout: '20s' },
        ),
      );
      accepted += (await Promise.all(some)).length;
    }
    return accepted;
  }

  /** How many connections the server itself has cut because they left too much unread. */
  async function kills(): Promise<number> {
    const log = await readFile(join(server.directory, 'server.log'), 'utf8');
    return log.match(/overcoming of output buffer limits/g)?.length ?? 0;
  }

  const duplicated = () => [...handled.values()].reduce((sum, times) => sum + times - 1, 0);
  const rssGrownMb = () => Math.round((Math.max(...news.map(({ rss }) => rss)) - of('ready')[0].rss) / 1e6);

  /** From each time that the connection went until all channels were listened to again. */
  function outagesMs(): number[] {
    return of('disconnected').map(({ at }) => {
      const back = of('gap').find((gap) => gap.at >= at);
      return back === undefined ? Number.POSITIVE_INFINITY : back.at - at;
    });
  }

  it('is cut off at most once, told so, and listens again', async () => {
    await consume('at-most-once');
    let accepted = 0;
    for (let round = 0; round < rounds; round++) {
      const before = await kills();
      accepted += await flood('at-most-once', round * total);
      await until('the server has cut it off', async () => (await kills()) > before);
      probed = false;
      await until('it listens again', async () => {
        await publisher.publish('load', { n: PROBE }, { delivery: 'at-most-once' });
        await pause(100);
        return probed;
      });
    }
    const faults = await kills();
    await until('each outage is told', () => of('gap').length >= faults, 5_000).catch(() => undefined);
    const worstRecoveryMs = Math.max(...outagesMs());
    const figures = { lost: accepted - handled.size, duplicated: duplicated(), gaps: of('gap').length };
    const rssMb = rssGrownMb();
    const told = figures.gaps >= rounds && figures.gaps <= faults && figures.duplicated === 0;
    const pass = faults >= rounds && told && worstRecoveryMs <= 2_000 && rssMb <= MOST_RSS_MB;
    report({ engine: 'pubsub', sent: accepted, faults, ...figures, rssMb, worstRecoveryMs, pass });
    expect(faults).toBeGreaterThanOrEqual(rounds);
    expect(figures.gaps).toBeGreaterThanOrEqual(rounds);
    expect(figures.duplicated).toBe(0);
    expect(worstRecoveryMs).toBeLessThanOrEqual(2_000);
    expect(rssMb).toBeLessThanOrEqual(MOST_RSS_MB);
  }, 180_000);

  it('misses nothing at least once, under the same load', async () => {
    await consume('at-least-once');
    let accepted = 0;
    for (let round = 0; round < rounds; round++) accepted += await flood('at-least-once', round * total);
    await until('all are handled', () => handled.size === accepted, 60_000).catch(() => undefined);
    const lost = accepted - handled.size;
    const [faults, rssMb] = [await kills(), rssGrownMb()];
    const pass = lost === 0 && duplicated() === 0 && rssMb <= MOST_RSS_MB;
    report({ engine: 'streams', sent: accepted, faults, lost, duplicated: duplicated(), rssMb, pass });
    expect(accepted).toBe(rounds * total);
    expect({ lost, duplicated: duplicated() }).toEqual({ lost: 0, duplicated: 0 });
    expect(rssMb).toBeLessThanOrEqual(MOST_RSS_MB);
  }, 180_000);
});
