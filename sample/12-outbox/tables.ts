import { inboxSchema, outboxSchema } from 'nestjs-disco-bus/outbox';
import { Pool } from 'pg';

/** What an application would leave to its migrations. */
export async function openDatabase(url: string): Promise<Pool> {
  const pool = new Pool({ connectionString: url });
  await pool.query(`
    CREATE TABLE IF NOT EXISTS sample_orders (id int PRIMARY KEY, total int NOT NULL);
    CREATE TABLE IF NOT EXISTS sample_bills (order_id int NOT NULL, total int NOT NULL);
    TRUNCATE sample_orders, sample_bills;
    ${outboxSchema({ table: 'sample_outbox' })}
    ${inboxSchema({ table: 'sample_inbox' })}
    TRUNCATE sample_outbox, sample_inbox`);
  return pool;
}
