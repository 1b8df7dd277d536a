import 'reflect-metadata';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Pool, type PoolClient } from 'pg';
import { z } from 'zod';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import type { LogFields } from '../../../lib/bus/options/bus-logger.js';
import { defineTopic } from '../../../lib/contract/define.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { ConfigurationError } from '../../../lib/errors/bus.errors.js';
import type { LockManager } from '../../../lib/lock/lock-manager.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { DiscoBusModule } from '../../../lib/nest/disco-bus.module.js';
import { DiscoSubscribe } from '../../../lib/nest/handlers/disco-subscribe.decorator.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { DiscoOutbox } from '../../../lib/outbox/disco-outbox.js';
import { DiscoOutboxModule } from '../../../lib/outbox/disco-outbox.module.js';
import type { DiscoOutboxOptions } from '../../../lib/outbox/outbox-options.js';
import { OutboxRows } from '../../../lib/outbox/outbox-rows.js';
import { outboxSchema } from '../../../lib/outbox/outbox-schema.js';
import { closeApps, startContext } from '../../nest/support.js';
import { lastingKeys } from '../../samples/describe-sample.js';
import { runSample, type SampleResult } from '../../samples/run-sample.js';
import { PostgresServer, inTransaction as transacted } from '../../support/postgres-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { bundledProgram } from '../../support/source-process.js';
import { until } from '../../support/waiting.js';

interface Seen {
  readonly payload: any;
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
}

let postgres: PostgresServer;
let redis: RedisServer;
let pool: Pool;
const cleanUps: (() => unknown)[] = [];
const lines: LogFields[] = [];
const written = (event: string) => lines.filter((line) => line.event === event);

beforeAll(async () => {
  [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
  pool = new Pool({ connectionString: postgres.url });
  pool.on('error', () => {});
}, 60_000);

afterAll(async () => {
  await pool?.end();
  await Promise.all([postgres?.stop(), redis?.stop()]);
});

beforeEach(async () => {
  lines.length = 0;
  await pool.query('DROP TABLE IF EXISTS disco_outbox, disco_outbox_relay');
  await pool.query(outboxSchema());
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await closeApps();
});

interface Process {
  readonly bus: DiscoBus;
  readonly locks: LockManager;
}

/** A bus and its locks, as a process of a cluster has them. */
async function startProcess(): Promise<Process> {
  const driver = redisDriver({ url: redis.url });
  const keep = (_: string, fields?: LogFields) => void (fields && lines.push(fields));
  const bus = new DiscoBus({
    driver,
    service: 'shop',
    maxMessageSize: 2_000,
    logger: { log: keep, warn: keep, error: keep },
  });
  const locks = locksOf({ driver });
  await Promise.all([bus.start(), locks.connect()]);
  cleanUps.push(() => locks.close().then(() => bus.stop()));
  return { bus, locks };
}

async function startOutbox(
  options: Partial<DiscoOutboxOptions> = {},
  through?: Process,
): Promise<DiscoOutbox> {
  const outbox = new DiscoOutbox(through ?? (await startProcess()), { pool, ...options });
  await outbox.start();
  cleanUps.push(() => outbox.stop());
  return outbox;
}

/** What is published to `topic` from now on; reads at least once. */
async function reader(topic: string, { bus }: Process): Promise<Seen[]> {
  const seen: Seen[] = [];
  const handler = (payload: unknown, { id, headers }: DiscoMessageContext) =>
    void seen.push({ payload, id, headers });
  await bus.subscribe(topic, handler, { delivery: 'at-least-once' });
  return seen;
}

const inTransaction = <T>(work: (tx: PoolClient) => Promise<T>) => transacted(pool, work);

let topics = 0;
const newTopic = () => `orders.${++topics}`;
const atLeastOnce = { delivery: 'at-least-once' } as const;
/** So long that only a notification can be what woke the relay. */
const never = { sweep: '10m' } as const;
const payloads = (seen: readonly Seen[]) => seen.map(({ payload }) => payload);

describe('a row', () => {
  it('is published once its transaction commits, with key, headers and a message id of its own', async () => {
    const through = await startProcess();
    const outbox = await startOutbox({ relay: never }, through);
    const topic = newTopic();
    const seen = await reader(topic, through);
    const { id } = await inTransaction(async (tx) => {
      const options = { ...atLeastOnce, tx, key: 'order-7', headers: { tenant: 'acme' } };
      const receipt = await outbox.publish(topic, { n: 7 }, options);
      expect(await outbox.inspect()).toMatchObject({ waiting: 0 });
      return receipt;
    });
    await until('published', () => seen.length === 1);
    expect(seen[0]).toMatchObject({ payload: { n: 7 }, id, headers: { tenant: 'acme', 'x-key': 'order-7' } });
    await until('marked', async () => (await outbox.inspect()).waiting === 0);
    expect(written('outbox-not-notified')).toEqual([]);
  });

  it('of a transaction that is rolled back is never published', async () => {
    const through = await startProcess();
    const outbox = await startOutbox({ relay: never }, through);
    const topic = newTopic();
    const seen = await reader(topic, through);
    const fails = inTransaction(async (tx) => {
      await outbox.publish(topic, 'rolled back', { ...atLeastOnce, tx });
      throw new Error('no money');
    });
    await expect(fails).rejects.toThrow('no money');
    await inTransaction((tx) => outbox.publish(topic, 'committed', { ...atLeastOnce, tx }));
    await until('published', () => seen.length > 0);
    expect(payloads(seen)).toEqual(['committed']);
    expect((await pool.query('SELECT count(*)::int AS n FROM disco_outbox')).rows).toEqual([{ n: 1 }]);
  });

  it('whose transaction commits after those of later ids is published all the same', async () => {
    const through = await startProcess();
    const outbox = await startOutbox({ relay: never }, through);
    const topic = newTopic();
    const seen = await reader(topic, through);
    await inTransaction(async (late) => {
      await outbox.publish(topic, 'late', { ...atLeastOnce, tx: late });
      await inTransaction((tx) => outbox.publish(topic, 'early', { ...atLeastOnce, tx }));
      await until('the later id is published and marked', async () => {
        return seen.length === 1 && (await outbox.inspect()).waiting === 0;
      });
    });
    await until('the earlier id', () => seen.length === 2);
    expect(payloads(seen)).toEqual(['early', 'late']);
    const { rows } = await pool.query('SELECT payload FROM disco_outbox ORDER BY id');
    expect(rows.map(({ payload }) => payload)).toEqual(['"late"', '"early"']);
  });

  it('goes out in the order of its key', async () => {
    const through = await startProcess();
    const topic = newTopic();
    const writer = new DiscoOutbox(through, { pool, relay: false });
    const seen = await reader(topic, through);
    await inTransaction(async (tx) => {
      for (let n = 0; n < 60; n++)
        await writer.publish(topic, { n }, { ...atLeastOnce, tx, key: `k${n % 3}` });
    });
    await startOutbox({ relay: { ...never, batch: 7 } }, through);
    await until('all', () => seen.length === 60);
    for (const key of ['k0', 'k1', 'k2']) {
      const order = seen.filter(({ headers }) => headers['x-key'] === key).map(({ payload }) => payload.n);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  it('of a definition is checked before it is written, and carries its key and its version', async () => {
    const through = await startProcess();
    const outbox = await startOutbox({ relay: never }, through);
    const first = defineTopic(newTopic(), {
      schema: z.object({ n: z.number() }),
      delivery: 'at-least-once',
      key: ({ n }) => `n-${n}`,
    });
    const second = first.version(2, {
      schema: z.object({ n: z.number(), kind: z.string() }),
      upgrade: ({ n }) => ({ n, kind: 'old' }),
    });
    const seen: Seen[] = [];
    await through.bus.subscribe(
      second,
      (payload, { id, headers }) => void seen.push({ payload, id, headers }),
    );
    await inTransaction(async (tx) => {
      const wrong = outbox.publish(second, { n: 'x' } as never, { tx });
      await expect(wrong).rejects.toMatchObject({ code: 'DISCO_UNRECOVERABLE' });
      await outbox.publish(first, { n: 1 }, { tx });
      await outbox.publish(second, { n: 2, kind: 'new' }, { tx });
    });
    await until('both', () => seen.length === 2);
    expect(seen.sort((a, b) => a.payload.n - b.payload.n)).toMatchObject([
      { payload: { n: 1, kind: 'old' }, headers: { 'x-key': 'n-1' } },
      { payload: { n: 2, kind: 'new' }, headers: { 'x-key': 'n-2', 'x-version': '2' } },
    ]);
  });

  it('that can never be published is set aside with its error, and blocks no other', async () => {
    const through = await startProcess();
    const topic = newTopic();
    const outbox = await startOutbox({ relay: never }, through);
    const seen = await reader(topic, through);
    await inTransaction(async (tx) => {
      await tx.query(`INSERT INTO disco_outbox (message_id, topic, payload) VALUES ('m1', 'no topic', '1')`);
      await outbox.publish(topic, 'x'.repeat(3_000), { ...atLeastOnce, tx });
      await outbox.publish(topic, 'fine', { ...atLeastOnce, tx });
    });
    await until('the good one', () => seen.length === 1);
    await until('set aside', async () => (await outbox.inspect()).setAside === 2);
    expect(await outbox.inspect()).toEqual({ waiting: 0, oldestMs: 0, setAside: 2 });
    const { rows } = await pool.query(
      'SELECT error_code, error FROM disco_outbox WHERE failed_at IS NOT NULL ORDER BY id',
    );
    expect(rows).toEqual([
      { error_code: 'DISCO_TOPIC_INVALID', error: expect.stringContaining('"no topic" is not a topic') },
      { error_code: 'DISCO_MESSAGE_TOO_LARGE', error: expect.stringContaining('the limit is 2000') },
    ]);
    expect(written('outbox-set-aside').map(({ errorCode }) => errorCode)).toEqual(
      rows.map(({ error_code }) => error_code),
    );
  });

  it('is refused without a transaction and with what no message can be', async () => {
    const outbox = await startOutbox({ relay: false });
    const tx = { query: () => Promise.reject(new Error('never asked')) };
    const refused = (topic: string, payload: unknown, options: object) =>
      expect(outbox.publish(topic, payload, { tx, ...options })).rejects;
    await refused('orders', 1, { tx: undefined }).toThrow('outbox.publish needs `tx`');
    await refused('orders', 1, { timeuot: 3 }).toThrow('outbox.publish: there is no option "timeuot"');
    await refused('no topic', 1, {}).toMatchObject({ code: 'DISCO_TOPIC_INVALID' });
    await refused('orders', undefined, {}).toMatchObject({ code: 'DISCO_MESSAGE_UNDEFINED' });
    await refused('orders', { at: new Map() }, {}).toMatchObject({ code: 'DISCO_CODEC', path: 'at' });
    await refused('orders', 1, { key: 'a b' }).toMatchObject({ code: 'DISCO_MESSAGE_INVALID' });
    await refused('orders', 1, { delay: 1, at: 2 }).toThrow('exclude each other');
  });
});

describe('the table', () => {
  it('that is missing fails the start with the SQL to run', async () => {
    await pool.query('DROP TABLE disco_outbox, disco_outbox_relay');
    const error: Error = await startOutbox().then(
      () => fail('it started'),
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toBe(`The table "disco_outbox" of the outbox is missing. Run:\n${outboxSchema()}`);
    await pool.query(error.message.slice(error.message.indexOf('Run:') + 4));
    await startOutbox();
  });

  it('of an older form fails the start with the SQL that mends it', async () => {
    await pool.query(
      `ALTER TABLE disco_outbox DROP COLUMN error_code; COMMENT ON TABLE disco_outbox IS 'nestjs-disco-bus outbox 0'`,
    );
    await expect(startOutbox()).rejects.toThrow(
      `has the older form 0; this version needs 1. Run:\n${outboxSchema()}`,
    );
    await pool.query(outboxSchema());
    await startOutbox();
    const { rows } = await pool.query('SELECT error_code FROM disco_outbox');
    expect(rows).toEqual([]);
  });

  it("of a newer form, and one that is somebody else's, fail the start", async () => {
    await pool.query(`COMMENT ON TABLE disco_outbox IS 'nestjs-disco-bus outbox 2'`);
    await expect(startOutbox()).rejects.toThrow('this one knows 1: update it');
    await pool.query('COMMENT ON TABLE disco_outbox IS NULL');
    await expect(startOutbox()).rejects.toThrow('give the option table another name');
    await expect(startOutbox({ table: 'x; DROP TABLE y' })).rejects.toThrow('table must be a name');
  });
});

describe('without notifications', () => {
  it.each([
    ['no connection that listens', () => ({ listen: false as const })],
    ['a pooler in transaction mode', () => ({ listen: forgetfulListener })],
    ['a connection that refuses LISTEN', () => ({ listen: refusingListener })],
  ])('behind %s the sweep finds the rows, and the log says so once', async (_, options) => {
    const through = await startProcess();
    const outbox = await startOutbox({ ...options(), relay: { sweep: '50ms' } }, through);
    const topic = newTopic();
    const seen = await reader(topic, through);
    for (const n of [1, 2]) {
      await inTransaction((tx) => outbox.publish(topic, n, { ...atLeastOnce, tx }));
      await until('published', () => seen.length === n);
    }
    await until('told', () => written('outbox-not-notified').length === 1);
  });

  /** Its session is another one after each statement, as behind a pooler in transaction mode. */
  async function forgetfulListener() {
    const client = await pool.connect();
    const query = async (text: string, values?: unknown[]) => {
      const result = await client.query(text, values);
      // A row of another process is committed just before.
      const channel = /^LISTEN "(.+)"$/.exec(text)?.[1];
      if (channel !== undefined) await pool.query("SELECT pg_notify($1, '')", [channel]);
      await client.query('UNLISTEN *');
      return result;
    };
    return { query, on: client.on.bind(client), release: () => client.release() };
  }

  async function refusingListener() {
    const client = await pool.connect();
    await client.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
    const query = () => client.query('LISTEN nothing at all');
    return { query, on: client.on.bind(client), release: () => client.release(true) };
  }
});

describe('relays', () => {
  it('of two processes take turns: one sends, and the other one when it ends', async () => {
    const [one, two] = [await startProcess(), await startProcess()];
    const topic = newTopic();
    const seen = await reader(topic, one);
    const statements: string[] = [];
    const told = (name: string) => ({
      query: (text: string, values?: unknown[]) => {
        if (text.includes('row_id')) statements.push(name);
        return pool.query(text, values);
      },
      connect: () => pool.connect(),
    });
    const first = await startOutbox({ pool: told('first'), relay: { sweep: '20ms' } }, one);
    await until('the first one is the relay', () => statements.includes('first'));
    await startOutbox({ pool: told('second'), relay: { sweep: '20ms' } }, two);
    for (let n = 0; n < 20; n++) await inTransaction((tx) => first.publish(topic, n, { ...atLeastOnce, tx }));
    await until('all', () => seen.length === 20);
    expect(new Set(statements)).toEqual(new Set(['first']));
    expect(new Set(seen.map(({ id }) => id)).size).toBe(20);
    await first.stop();
    await inTransaction((tx) => first.publish(topic, 20, { ...atLeastOnce, tx }));
    await until('the second one', () => seen.length === 21);
    expect(statements).toContain('second');
  });

  it('that are stale mark nothing', async () => {
    const through = await startProcess();
    const topic = newTopic();
    const seen = await reader(topic, through);
    let passed = () => {};
    const marking = new Promise<void>((resolve) => {
      passed = resolve;
    });
    let goOn = () => {};
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let first = true;
    const slow = {
      query: async (text: string, values?: unknown[]) => {
        if (first && text.includes('SET sent_at')) {
          first = false;
          passed();
          await held;
        }
        return pool.query(text, values);
      },
    };
    const outbox = await startOutbox({ pool: slow, relay: { sweep: '20ms' } }, through);
    await inTransaction((tx) => outbox.publish(topic, 'x', { ...atLeastOnce, tx }));
    await marking;
    const rows = new OutboxRows(pool, 'disco_outbox');
    const { rows: fences } = await pool.query('SELECT fence FROM disco_outbox_relay');
    const larger = BigInt(fences[0].fence) + 1n;
    expect(await rows.claim(larger)).toBe(true);
    goOn();
    await until('the stale one noticed', () => written('outbox-stopped').length === 1);
    expect(await rows.waiting(10, [])).toHaveLength(1);
    expect(await rows.setAside(larger - 1n, { id: '1', code: 'X', error: 'x' })).toBe(false);
    expect(await rows.markSent(larger, ['1'])).toBe(true);
    expect(await rows.waiting(10, [])).toHaveLength(0);
    expect(seen.length).toBeGreaterThan(0);
  });

  it('killed between publish and mark: the row is sent again under the same id, and none is lost', async () => {
    const through = await startProcess();
    const [bare, kept] = [newTopic(), newTopic()];
    const seen: Seen[] = [];
    // At most once nothing but the id tells that a message came twice; at least once the driver knows the id.
    const handler = (payload: unknown, { id, headers }: DiscoMessageContext) =>
      void seen.push({ payload, id, headers });
    await through.bus.subscribe(bare, handler, { delivery: 'at-most-once' });
    const stored = await reader(kept, through);
    const writer = new DiscoOutbox(through, { pool, relay: false });
    const ids = await inTransaction(async (tx) => [
      (await writer.publish(bare, 1, { tx, delivery: 'at-most-once' })).id,
      (await writer.publish(bare, 2, { tx, delivery: 'at-most-once' })).id,
      (await writer.publish(kept, 3, { tx, ...atLeastOnce })).id,
    ]);
    const mortal = startRelayProcess('SET sent_at');
    expect(await once(mortal, 'exit')).toEqual([null, 'SIGKILL']);
    await until('the first sending', () => seen.length === 2 && stored.length === 1);
    expect(await writer.inspect()).toMatchObject({ waiting: 3 });
    startRelayProcess();
    await until('the second sending', () => seen.length === 4);
    expect([...seen, ...stored].map(({ id }) => id)).toEqual([ids[0], ids[1], ids[0], ids[1], ids[2]]);
    await until('marked', async () => (await writer.inspect()).waiting === 0);
  });

  it('go on after a failure, told once when it begins and once when it ends', async () => {
    const through = await startProcess();
    const topic = newTopic();
    let down = true;
    const publish = through.bus.publish.bind(through.bus);
    // The server cannot refuse one topic and take another: so the refusal is put before the bus.
    through.bus.publish = ((name: string, ...rest: [unknown]) =>
      down && name === topic ? Promise.reject(new Error('not now')) : publish(name, ...rest)) as never;
    const other = newTopic();
    const [seen, others] = [await reader(topic, through), await reader(other, through)];
    const backoff = { type: 'fixed', delay: 20 } as const;
    const outbox = await startOutbox({ relay: { ...never, backoff } }, through);
    await inTransaction((tx) => outbox.publish(topic, 1, { ...atLeastOnce, tx }));
    await until('told', () => written('outbox-waits').length > 0);
    await inTransaction((tx) => outbox.publish(other, 1, { ...atLeastOnce, tx }));
    await until('the other topic', () => others.length === 1);
    await until('it is marked', async () => (await outbox.inspect()).waiting === 1);
    down = false;
    await until('published', () => seen.length === 1);
    await until('told again', () => written('outbox-goes-on').length === 1);
    expect(written('outbox-waits')).toHaveLength(1);
  });

  it('delete what was sent long enough ago', async () => {
    const through = await startProcess();
    const outbox = await startOutbox({ relay: { sweep: '20ms', keepSent: 0 } }, through);
    await inTransaction((tx) => outbox.publish(newTopic(), 1, { ...atLeastOnce, tx }));
    const count = async () =>
      (await pool.query('SELECT count(*)::int AS n FROM disco_outbox')).rows[0].n as number;
    await until('deleted', async () => (await count()) === 0);
  });
});

it('in a Nest application it is injected, and relays from its bootstrap to its shutdown', async () => {
  const topic = newTopic();
  const seen: unknown[] = [];

  @Injectable()
  class Warehouse {
    @DiscoSubscribe(topic, atLeastOnce)
    received(payload: unknown): void {
      seen.push(payload);
    }
  }

  const app = await startContext({
    imports: [
      DiscoBusModule.forRoot({ url: redis.url, service: 'warehouse', metrics: false }),
      DiscoOutboxModule.forRootAsync({ useFactory: () => ({ pool }) }),
    ],
    providers: [Warehouse],
  });
  const outbox = app.get(DiscoOutbox);
  await inTransaction((tx) => outbox.publish(topic, { n: 1 }, { tx }));
  await until('handled', () => seen.length === 1);
  await app.close();
  await inTransaction((tx) => outbox.publish(topic, { n: 2 }, { tx }));
  expect(await outbox.inspect()).toMatchObject({ waiting: 1 });
  expect(() => DiscoOutboxModule.forRoot({} as never)).toThrow('An outbox needs its database');
});

describe('sample outbox', () => {
  function expectTheStory({ output, code }: SampleResult): void {
    expect(output).toContain('order 3 is more than the customer has: rolled back, and nobody is told');
    expect(output).toContain('order 2 is billed, attempt 2');
    const bills = '[{"order_id":1,"total":20},{"order_id":2,"total":30}]';
    expect(output).toContain(`after 3 attempts there are 2 bills: ${bills}`);
    expect(code).toBe(0);
  }

  it('runs embedded and on Redis, and leaves nothing there', async () => {
    const env = { DISCO_PG_URL: postgres.url };
    expectTheStory(await runSample('outbox', env));
    const server = await RedisServer.start();
    try {
      expectTheStory(await runSample('outbox', { ...env, DISCO_BUS_URL: server.url }));
      expect(await lastingKeys(server)).toEqual([]);
    } finally {
      await server.stop();
    }
  }, 60_000);

  it('says what it needs where there is no PostgreSQL', async () => {
    const { output, code } = await runSample('outbox', { DISCO_PG_URL: '' });
    expect(output).toContain('This sample needs PostgreSQL: DISCO_PG_URL=postgres://');
    expect(code).toBe(1);
  });
});

function startRelayProcess(diesBefore = ''): ChildProcess {
  const child = fork(
    bundledProgram(join(__dirname, 'relay-process.ts')),
    [redis.url, postgres.url, diesBefore],
    {
      execArgv: [],
    },
  );
  cleanUps.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  return child;
}
