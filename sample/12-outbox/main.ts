import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { DiscoOutbox } from 'nestjs-disco-bus/outbox';
import { AppModule } from './app.module.js';
import { BillingService } from './billing.service.js';
import { ShopService } from './shop.service.js';
import { openDatabase } from './tables.js';

const url = process.env.DISCO_PG_URL;
if (!url) {
  console.error(
    'This sample needs PostgreSQL: DISCO_PG_URL=postgres://user@host:5432/database npm run sample outbox.\n' +
      'It makes tables whose names begin with "sample_", and drops them in the end.',
  );
  process.exit(1);
}

const logger = new Logger('Sample');
logger.log(
  'Orders and their events commit together; one order is rolled back, and one event is handled twice.',
);
const pool = await openDatabase(url);
const app = await NestFactory.createApplicationContext(AppModule.on(pool), { logger: ['warn', 'error'] });
app.useLogger(['log', 'warn', 'error']);

const shop = app.get(ShopService);
for (const order of [
  { id: 1, total: 20 },
  { id: 2, total: 30 },
  { id: 3, total: 5_000 },
]) {
  await shop
    .place(order)
    .catch((error: Error) => logger.warn(`${error.message}: rolled back, and nobody is told`));
}

const billing = app.get(BillingService);
const outbox = app.get(DiscoOutbox);
for (let tries = 0; tries < 100 && (billing.attempts < 3 || (await outbox.inspect()).waiting > 0); tries++)
  await pause(50);

const { rows } = await pool.query('SELECT order_id, total FROM sample_bills ORDER BY order_id');
logger.log(`after ${billing.attempts} attempts there are ${rows.length} bills: ${JSON.stringify(rows)}`);

// A sample leaves nothing behind.
const bus = app.get(DiscoBusService);
await bus.drain();
await bus.removeGroup('orders.placed', 'shop');
await app.close();
await pool.query('DROP TABLE sample_orders, sample_bills, sample_outbox, sample_outbox_relay, sample_inbox');
await pool.end();
