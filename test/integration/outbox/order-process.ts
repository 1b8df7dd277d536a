import 'reflect-metadata';
import { Pool, type PoolClient } from 'pg';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import type { DiscoMessageContext } from '../../../lib/middleware/message-context.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { DiscoOutbox } from '../../../lib/outbox/disco-outbox.js';
import { inboxTable } from '../../../lib/outbox/inbox-table.js';

const [redisUrl, postgresUrl, given] = process.argv.slice(2);
/** Statements of the database before and after which something may happen; then the process is killed. 0: never. */
let stepsLeft = Number(given);

/** A place between two steps. */
function step(): void {
  if (stepsLeft > 0 && --stepsLeft === 0) process.kill(process.pid, 'SIGKILL');
}

const pool = new Pool({ connectionString: postgresUrl, max: 20 });
const inbox = inboxTable();
const logger = { log() {}, warn() {}, error() {} };
const topic = 'orders.placed';

type Run = { query(text: string, values?: unknown[]): Promise<{ rows: any[] }> };

/** Statements with a step before and one after. */
function stepping(client: Run): Run {
  return {
    query: async (text, values) => {
      step();
      const result = await client.query(text, values);
      step();
      return result;
    },
  };
}

async function inTransaction(work: (tx: Run) => Promise<'COMMIT' | 'ROLLBACK'>): Promise<void> {
  const client: PoolClient = await pool.connect();
  const tx = stepping(client);
  try {
    await tx.query('BEGIN');
    await tx.query(await work(tx));
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

/** Takes ten orders off the list, or none where it is empty; every fifth time it changes its mind. */
async function place(outbox: DiscoOutbox, turn: number): Promise<boolean> {
  let took = 0;
  await inTransaction(async (tx) => {
    const { rows } = await tx.query(
      'DELETE FROM todo WHERE n IN (SELECT n FROM todo ORDER BY n LIMIT 10 FOR UPDATE SKIP LOCKED) RETURNING n',
    );
    took = rows.length;
    const gone = turn % 5 === 4;
    for (const { n } of rows) {
      await tx.query('INSERT INTO orders (n) VALUES ($1)', [n]);
      const event = { n, gone };
      await outbox.publish(topic, event, { tx, delivery: 'at-least-once', key: `customer-${n % 50}` });
    }
    return gone ? 'ROLLBACK' : 'COMMIT';
  });
  return took > 0;
}

/** A shop: places orders, relays what it wrote, and bills what it hears of. */
async function shop(): Promise<void> {
  const driver = redisDriver({
    url: redisUrl,
    streams: { claimAfter: '1s', maxCrashes: 1_000 },
  });
  const bus = new DiscoBus({ driver, service: 'shop', logger });
  const locks = locksOf({ driver });
  await Promise.all([bus.start(), locks.connect()]);
  const bill = async ({ n, gone }: { n: number; gone: boolean }, context: DiscoMessageContext) => {
    await inTransaction(async (tx) => {
      await tx.query('INSERT INTO attempts (n) VALUES ($1)', [n]);
      await inbox.once(context, tx, async () => {
        await tx.query('INSERT INTO bills (n, gone) VALUES ($1, $2)', [n, gone]);
      });
      return 'COMMIT';
    });
    step();
  };
  await bus.subscribe(topic, bill, { delivery: 'at-least-once', concurrency: 10, retry: { attempts: 50 } });
  const relaying = { ...stepping(pool), connect: () => pool.connect() };
  const relay = { lockTtl: '1s', sweep: '200ms', batch: 100 } as const;
  const outbox = new DiscoOutbox({ bus, locks }, { pool: relaying as never, relay });
  await outbox.start();
  for (let turn = 0; await place(outbox, turn); ) turn++;
}

process.once('disconnect', () => process.exit(0));
void shop();
