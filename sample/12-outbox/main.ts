import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoOutbox } from 'nestjs-disco-bus/outbox';
import { AppModule } from './app.module.js';
import { BillingService } from './billing.service.js';
import { ShopService } from './shop.service.js';
import { openDatabase } from './tables.js';

const url = process.env.DISCO_PG_URL;
if (!url) {
  console.error(
    'This sample needs PostgreSQL: DISCO_PG_URL=postgres://user@host:5432/database npm run sample outbox.\n' +
      'It makes tables whose names begin with "sample_", and empties them.',
  );
  process.exit(1);
}

const logger = new Logger('Sample');
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
await app.close();
await pool.end();
