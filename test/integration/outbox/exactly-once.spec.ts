import 'reflect-metadata';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Pool, type PoolClient } from 'pg';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver, redisIdempotencyStore } from '../../../lib/drivers/redis/index.js';
import { noHeaders } from '../../../lib/message/headers.js';
import type { IdempotencyStore } from '../../../lib/message/idempotency-store.js';
import { deduplicate } from '../../../lib/middleware/deduplicate.js';
import { memoryIdempotencyStore } from '../../../lib/middleware/memory-idempotency-store.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { inboxSchema, inboxTable } from '../../../lib/outbox/inbox-table.js';
import { outboxSchema } from '../../../lib/outbox/outbox-schema.js';
import { seededRandom } from '../../../lib/testing/seeded-random.js';
import { PostgresServer, inTransaction as transacted } from '../../support/postgres-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { bundledProgram } from '../../support/source-process.js';
import { pause, until } from '../../support/waiting.js';

const full = process.env.FULL === '1';
const [KILLS, ORDERS] = full ? [100, 50_000] : [8, 1_000];

let postgres: PostgresServer;
let redis: RedisServer;
let pool: Pool;
let client: Redis;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
  pool = new Pool({ connectionString: postgres.url });
  pool.on('error', () => {});
  client = new Redis(redis.url);
}, 60_000);

afterAll(async () => {
  client?.disconnect();
  await pool?.end();
  await Promise.all([postgres?.stop(), redis?.stop()]);
});

let keys = 0;
const newKey = () => `key-${++keys}`;

const stores: [string, () => IdempotencyStore][] = [
  ['in memory', () => memoryIdempotencyStore()],
  ['on Redis', () => redisIdempotencyStore({ client })],
];

describe.each(stores)('an IdempotencyStore %s', (_, open) => {
  const claimed = async (store: IdempotencyStore, key: string, leaseMs = 60_000) => {
    const claim = await store.claim(key, leaseMs);
    if (claim.state !== 'claimed') throw new Error(`it is ${claim.state}`);
    return claim.lease;
  };

  it('lets one claim a message, and tells the others for how long at the most', async () => {
    const [store, key] = [open(), newKey()];
    await claimed(store, key);
    const other = await store.claim(key, 1);
    expect(other).toEqual({ state: 'running', leftMs: expect.any(Number) });
    expect(other.state === 'running' && other.leftMs).toBeGreaterThan(50_000);
  });

  it('remembers what was handled, and its result', async () => {
    const [store, key, bare] = [open(), newKey(), newKey()];
    const lease = await claimed(store, key);
    expect(await store.complete(key, lease, { keepMs: 60_000, result: '{"n":1}' })).toBe(true);
    expect(await store.claim(key, 1_000)).toEqual({ state: 'done', result: '{"n":1}' });
    expect(await store.complete(bare, await claimed(store, bare), { keepMs: 60_000 })).toBe(true);
    expect((await store.claim(bare, 1_000)).state).toBe('done');
  });

  it('gives what was given up to the next', async () => {
    const [store, key] = [open(), newKey()];
    const lease = await claimed(store, key);
    await store.abandon(key, 'of somebody else');
    expect((await store.claim(key, 1_000)).state).toBe('running');
    await store.abandon(key, lease);
    await claimed(store, key);
  });

  it('gives what was claimed for too long to the next, and refuses the first', async () => {
    const [store, key] = [open(), newKey()];
    const late = await claimed(store, key, 20);
    await until('the lease is over', async () => (await store.claim(key, 60_000)).state === 'claimed');
    expect(await store.complete(key, late, { keepMs: 60_000 })).toBe(false);
    await store.abandon(key, late);
    expect((await store.claim(key, 1_000)).state).toBe('running');
  });

  it('forgets what was handled long enough ago', async () => {
    const [store, key] = [open(), newKey()];
    await store.complete(key, await claimed(store, key), { keepMs: 20 });
    await until('forgotten', async () => (await store.claim(key, 60_000)).state === 'claimed');
  });

  it('makes one process handle what two got, and a failure be tried again', async () => {
    const topic = `both.${newKey()}`;
    const handled: number[] = [];
    const failed = new Set<number>();
    const store = open();
    const once = deduplicate({ store, lease: '300ms' });
    const buses = [0, 1].map(
      () => new DiscoBus({ driver: redisDriver({ url: redis.url }), service: 'shop', logger }),
    );
    for (const bus of buses) {
      await bus.start();
      const handler = async (n: number) => {
        await pause(5);
        if (n % 5 === 0 && !failed.has(n)) {
          failed.add(n);
          throw new Error('the first time');
        }
        handled.push(n);
      };
      await bus.subscribe(topic, handler, {
        delivery: 'at-most-once',
        middleware: [once],
        retry: { attempts: 5, backoff: { delay: 20 } },
      });
    }
    try {
      for (let n = 0; n < 20; n++) await buses[0].publish(topic, n, { delivery: 'at-most-once' });
      await until('each', () => new Set(handled).size === 20);
    } finally {
      // What still waits for its second look comes before the end.
      for (const bus of buses) await bus.stop();
    }
    expect(failed.size).toBe(4);
    expect([...handled].sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
  });

  it('answers a request that comes twice with the reply of the first time', async () => {
    let calls = 0;
    const middleware = deduplicate({ store: open(), results: true });
    const handler = middleware(() => Promise.resolve({ call: ++calls }));
    const context = contextOf(newKey());
    expect(await handler(context)).toEqual({ call: 1 });
    expect(await handler(context)).toEqual({ call: 1 });
    expect(await handler({ ...context, group: 'another' })).toEqual({ call: 2 });
  });

  it('does not remember a handler that asks for another attempt', async () => {
    let calls = 0;
    const handler = deduplicate({ store: open() })((context) => {
      if (++calls === 1) context.retry();
    });
    const context = contextOf(newKey());
    await handler(context);
    await handler(context);
    await handler(context);
    expect(calls).toBe(2);
  });
});

const logger = { log() {}, warn() {}, error() {} };

function contextOf(id: string): DiscoMessageContext {
  const message = { id, topic: 'orders', headers: noHeaders, timestamp: 0, payload: 1 };
  const asked = { retry: () => {}, terminate: () => {}, abort: () => {} };
  return { ...message, message, attempt: 1, group: 'shop', signal: new AbortController().signal, ...asked };
}

it('deduplicate refuses options that exclude each other, and a store that is none', () => {
  const store = memoryIdempotencyStore({ size: 1 });
  expect(() => deduplicate({ store, size: 3 })).toThrow('size and store exclude each other');
  expect(() => deduplicate({ lease: '1s' })).toThrow('lease needs a store');
  expect(() => deduplicate({ store: {} as never })).toThrow('store must be an IdempotencyStore');
  expect(() => redisIdempotencyStore({} as never)).toThrow('needs a client of ioredis');
  expect(() => memoryIdempotencyStore({ size: 0 })).toThrow('size must be a whole number above 0');
});

it('the store in memory forgets the oldest for a new one', async () => {
  const store = memoryIdempotencyStore({ size: 2 });
  for (const key of ['a', 'b', 'c']) await store.claim(key, 60_000);
  expect((await store.claim('c', 60_000)).state).toBe('running');
  expect((await store.claim('a', 60_000)).state).toBe('claimed');
});

describe('the inbox', () => {
  const inbox = inboxTable();
  const message = { group: 'billing', topic: 'orders', id: 'm-1' };

  beforeEach(async () => {
    await pool.query('DROP TABLE IF EXISTS disco_inbox');
    await pool.query(inboxSchema());
  });

  const inTransaction = <T>(work: (tx: PoolClient) => Promise<T>) => transacted(pool, work);

  it('runs the work once for each group and message, and keeps its result', async () => {
    let runs = 0;
    const handle = (context: typeof message) =>
      inTransaction((tx) => inbox.once(context, tx, async () => ({ run: ++runs })));
    expect(await handle(message)).toEqual({ run: 1 });
    expect(await handle(message)).toEqual({ run: 1 });
    expect(await handle({ ...message, group: 'shipping' })).toEqual({ run: 2 });
    expect(await handle({ ...message, id: 'm-2' })).toEqual({ run: 3 });
  });

  it('forgets what was rolled back, and makes a second transaction wait for the first', async () => {
    const fails = inTransaction((tx) =>
      inbox.once(message, tx, () => {
        throw new Error('no stock');
      }),
    );
    await expect(fails).rejects.toThrow('no stock');
    const order: string[] = [];
    let second: Promise<unknown> = Promise.resolve();
    await inTransaction((tx) =>
      inbox.once(message, tx, async () => {
        second = inTransaction((other) => inbox.once(message, other, () => void order.push('second')));
        const blocked = `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
        await until('the second waits', async () => (await pool.query(blocked)).rows.length === 1);
        order.push('first');
      }),
    );
    await second;
    expect(order).toEqual(['first']);
  });

  it('forgets what is old, and checks its table', async () => {
    await inTransaction((tx) => inbox.once(message, tx, () => 1));
    expect(await inbox.forget(pool, '1h')).toBe(0);
    expect(await inbox.forget(pool, 0)).toBe(1);
    await inbox.check(pool);
    await pool.query('DROP TABLE disco_inbox');
    await expect(inbox.check(pool)).rejects.toThrow(
      `The table "disco_inbox" of the inbox is missing. Run:\n${inboxSchema()}`,
    );
  });
});

it(
  `${KILLS} kills at random between the steps of ${ORDERS} orders: each effect once, each event, none without its row`,
  async () => {
    await pool.query('DROP TABLE IF EXISTS disco_outbox, disco_outbox_relay, disco_inbox');
    await pool.query(outboxSchema() + inboxSchema());
    await pool.query(
      'CREATE TABLE todo (n int PRIMARY KEY); CREATE TABLE orders (n int PRIMARY KEY);' +
        'CREATE TABLE bills (n int, gone boolean); CREATE TABLE attempts (n int)',
    );
    await pool.query('INSERT INTO todo SELECT generate_series(1, $1::int)', [ORDERS]);
    const seed = Math.floor(Math.random() * 1e9);
    const random = seededRandom(seed);
    let toKill = KILLS;
    let killed = 0;
    const running = new Set<ChildProcess>();
    const failures: unknown[] = [];
    /** About a third of all steps lie before the last kill. */
    const start = () => {
      const steps = toKill > 0 ? 1 + Math.floor((random() * ORDERS * 5) / KILLS) : 0;
      if (toKill > 0) toKill--;
      const args = [redis.url, postgres.url, String(steps)];
      const child = fork(bundledProgram(join(__dirname, 'order-process.ts')), args, { execArgv: [] });
      running.add(child);
      child.once('exit', (code, signal) => {
        running.delete(child);
        if (signal === 'SIGKILL') killed++;
        else failures.push(code);
        if (!over) start();
      });
    };
    let over = false;
    const count = async (sql: string) =>
      Number((await pool.query(`SELECT count(*) AS n FROM ${sql}`)).rows[0].n);
    try {
      start();
      start();
      const done = async () =>
        failures.length > 0 ||
        (killed >= KILLS &&
          (await count('bills')) >= ORDERS &&
          (await count('disco_outbox WHERE sent_at IS NULL')) === 0);
      await until(`all orders are billed (seed ${seed})`, done, full ? 1_200_000 : 90_000);
    } finally {
      over = true;
      const ends = [...running].map((child) => once(child, 'exit'));
      const before = killed;
      for (const child of running) child.kill('SIGKILL');
      await Promise.all(ends);
      killed = before;
    }
    expect({ seed, failures }).toEqual({ seed, failures: [] });
    expect(killed).toBe(KILLS);
    expect(await count('todo')).toBe(0);
    expect(await count('orders')).toBe(ORDERS);
    expect(await count('bills')).toBe(ORDERS);
    expect(await count('(SELECT DISTINCT n FROM bills) AS each')).toBe(ORDERS);
    expect(await count('bills LEFT JOIN orders USING (n) WHERE orders.n IS NULL OR gone')).toBe(0);
    expect(await count('attempts')).toBeGreaterThanOrEqual(ORDERS);
  },
  full ? 1_300_000 : 100_000,
);
