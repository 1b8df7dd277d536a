import 'reflect-metadata';
import { Pool } from 'pg';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { redisDriver } from '../../../lib/drivers/redis/index.js';
import { locksOf } from '../../../lib/nest/locks/bus-locks.js';
import { DiscoOutbox } from '../../../lib/outbox/disco-outbox.js';

/** Where a relay process kills itself: before the statement that holds the text is sent to the database. */
const [redisUrl, postgresUrl, diesBefore = ''] = process.argv.slice(2);

/** A process that relays, and dies at a point of its parent's choice. */
async function relay(): Promise<void> {
  const pool = new Pool({ connectionString: postgresUrl });
  const mortal = {
    query: (text: string, values?: unknown[]) => {
      if (diesBefore !== '' && text.includes(diesBefore)) process.kill(process.pid, 'SIGKILL');
      return pool.query(text, values);
    },
    connect: () => pool.connect(),
  };
  const driver = redisDriver({ url: redisUrl });
  const logger = { log() {}, warn() {}, error() {} };
  const bus = new DiscoBus({ driver, service: 'relay', logger });
  const locks = locksOf({ driver });
  await Promise.all([bus.start(), locks.connect()]);
  await new DiscoOutbox({ bus, locks }, { pool: mortal, relay: { lockTtl: '1s', sweep: '100ms' } }).start();
  process.send?.('ready');
}

process.once('disconnect', () => process.exit(0));
void relay();
