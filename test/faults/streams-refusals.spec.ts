import { randomUUID } from 'node:crypto';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { DiscoBus } from '../../lib/bus/disco-bus.js';
import { redisDriver } from '../../lib/drivers/redis/redis.driver.js';
import { isDiscoBusError } from '../../lib/errors/disco-bus-error.js';
import { RedisServer } from '../support/redis-server.js';
import { pause, until } from '../support/waiting.js';
import { full, report } from './fault-report.js';
import { StreamsLoad } from './streams-load.js';
import { Journal } from './streams-processes.js';

const policy = { delivery: 'at-least-once', concurrency: 8, prefetch: 4 } as const;
const HOLD_MS = full ? 3_000 : 500;
/** So many keys of a delay each make the loading long enough. */
const [KEYS, KEY_DELAY_US] = [1_000, full ? 3_000 : 800];

/** A state in which the server is there and refuses. */
interface Refusal {
  readonly name: string;
  /** Brings it about; resolves when the server was seen to refuse. */
  begin(): Promise<void>;
  end(): Promise<void>;
}

describe('A server that is there and refuses', () => {
  let server: RedisServer;
  let admin: Redis;
  let other: Redis;
  const buses: DiscoBus[] = [];

  beforeEach(async () => {
    server = await RedisServer.start(
      '--busy-reply-threshold',
      '50',
      '--loading-process-events-interval-bytes',
      '1024',
    );
    [admin, other] = [new Redis(server.url), new Redis(server.url)];
    for (const client of [admin, other]) client.on('error', () => undefined);
  });
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop()));
    for (const client of [admin, other]) client.disconnect();
    await server.stop();
  });

  async function bus(): Promise<DiscoBus> {
    const driver = redisDriver({ url: server.url });
    const made = new DiscoBus({ driver, service: 'workers', shutdownTimeout: '3s' });
    buses.push(made);
    await made.start();
    return made;
  }

  /** Resolves when the server answers a write, or anything, with that. */
  function answers(word: string): Promise<void> {
    const refuses = async () => {
      const text = await admin.set('probe', '1').catch((error: Error) => error.message);
      return String(text).startsWith(word);
    };
    return until(`the server answers ${word}`, refuses, 5_000);
  }

  function refusals(): Refusal[] {
    const set = (option: string, value: string | number) => admin.config('SET', option, value);
    let dump = '';
    return [
      {
        name: 'loading',
        async begin() {
          for (let key = 0; key < KEYS; key++) void admin.set(`ballast-${key}`, 'x'.repeat(1_024));
          await set('key-load-delay', KEY_DELAY_US);
          other.call('DEBUG', 'RELOAD').catch(() => undefined);
          await answers('LOADING');
        },
        end: () => until('it is loaded', async () => (await admin.ping().catch(() => '')) === 'PONG', 20_000),
      },
      {
        name: 'busy',
        async begin() {
          other.eval('while true do end', 0).catch(() => undefined);
          await answers('BUSY');
        },
        end: async () => void (await admin.script('KILL')),
      },
      {
        name: 'misconf',
        async begin() {
          dump = join(((await admin.config('GET', 'dir')) as string[])[1], 'dump.rdb');
          await rm(dump, { force: true });
          // Where a directory stands, no file can be put.
          await mkdir(dump);
          await set('save', '3600 1');
          await admin.bgsave();
          await answers('MISCONF');
        },
        async end() {
          await rmdir(dump);
          await admin.bgsave();
          const saved = async () => /rdb_last_bgsave_status:ok/.test(await admin.info('persistence'));
          await until('it can save', saved, 5_000);
        },
      },
      {
        name: 'noreplicas',
        async begin() {
          await set('min-replicas-to-write', 1);
          await answers('NOREPLICAS');
        },
        end: async () => void (await set('min-replicas-to-write', 0)),
      },
      {
        name: 'maxclients',
        async begin() {
          other.disconnect();
          await set('maxclients', 1);
          await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
          const refused = async () => !/rejected_connections:0\r/.test(await admin.info('stats'));
          await until('connections are refused', refused, 5_000);
        },
        end: async () => void (await set('maxclients', 1_000)),
      },
    ];
  }

  it('LOADING, BUSY, MISCONF, NOREPLICAS and maxclients', async () => {
    const journal = new Journal();
    const [publisher, consumer] = [await bus(), await bus()];
    const handle = async ({ n }: { n: number }, { attempt }: { attempt: number }) => {
      await pause(2);
      journal.add({ type: 'done', n, attempt, at: Date.now() });
    };
    await consumer.subscribe('load', handle, policy);
    const codes: Record<string, Set<string>> = {};
    const untyped: unknown[] = [];
    let present = 'none';
    // Whoever publishes tries again with the same id for as long as the error says that this makes sense.
    const load = new StreamsLoad(1, async (n) => {
      for (const id = randomUUID(); ; await pause(20)) {
        try {
          return await publisher.publish('load', { n }, { delivery: 'at-least-once', timeout: '500ms', id });
        } catch (error) {
          if (!isDiscoBusError(error) || !error.retryable) untyped.push(error);
          if (!isDiscoBusError(error) || !error.retryable) throw error;
          codes[present] = (codes[present] ?? new Set()).add(error.code);
        }
      }
    });
    const recoveries: Record<string, number> = {};
    await load.during(0, async () => {
      for (const { name, begin, end } of refusals()) {
        await load.flowsAgain(0, 20_000);
        present = name;
        await begin();
        await pause(HOLD_MS);
        await end();
        const clearedMs = performance.now();
        const handled = journal.done.size;
        await load.flowsAgain(clearedMs, 20_000);
        await until('messages are handled again', () => journal.done.size > handled + 50, 20_000);
        recoveries[name] = Math.round(performance.now() - clearedMs);
      }
    });
    const missing = () => [...load.accepted].filter((n) => !journal.done.has(n)).length;
    await until('all are handled', () => missing() === 0, 30_000).catch(() => undefined);
    await pause(300);
    const [lost, { duplicated }] = [missing(), journal];
    const faults = Object.keys(recoveries).length;
    const worstRecoveryMs = Math.max(...Object.values(recoveries));
    const told = Object.fromEntries(Object.entries(codes).map(([name, set]) => [name, [...set].join(' ')]));
    const clean = lost === 0 && duplicated === 0 && untyped.length === 0;
    const pass = clean && faults === 5 && worstRecoveryMs <= 5_000;
    const figures = { sent: load.sent, faults, lost, duplicated, told, recoveries, worstRecoveryMs };
    report({ engine: 'streams', ...figures, pass });
    expect(faults).toBe(5);
    expect({ lost, duplicated, untyped }).toEqual({ lost: 0, duplicated: 0, untyped: [] });
    expect(Object.keys(told)).toEqual(Object.keys(recoveries));
    expect(worstRecoveryMs).toBeLessThanOrEqual(5_000);
  }, 120_000);
});
