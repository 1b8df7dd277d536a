import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type DeadLetterQueue, DiscoBusService } from 'nestjs-disco-bus';
import { AppModule } from './app.module.js';
import { BankService } from './bank.service.js';
import { BillingService } from './billing.service.js';
import type { BillingEvents, Invoice } from './invoice.js';

Logger.log(
  'A payment that fails is tried again, then kept as a dead letter, looked at, and replayed.',
  'Sample',
);

const logger = new Logger('Operator');
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
app.useLogger(['log', 'error']);

const bus = app.get<DiscoBusService<BillingEvents>>(DiscoBusService);
const billing = app.get(BillingService);
const deadLetters = bus.deadLetters('invoices');
await deadLetters.purge();

for (const invoice of [{ amount: 10 }, { amount: 20 }, { amount: 30 }, { amount: -40 }].map(numbered)) {
  await bus.publish('invoices', invoice);
}
await billing.hasCharged(2);
await untilThereAre(deadLetters, 2);
for (const { message, reason, attempts, error } of await deadLetters.peek()) {
  const invoice = message?.payload as Invoice | undefined;
  logger.log(
    `dead letter: invoice ${invoice?.number}, ${reason} after ${attempts} attempt(s): ${error?.message}`,
  );
}

app.get(BankService).repair();
const report = await deadLetters.replayAll({ filter: ({ reason }) => reason === 'attempts' });
logger.log(`bank repaired, ${report.replayed} invoice replayed`);
await billing.hasCharged(3);
logger.log(`${await deadLetters.purge()} dead letter purged`);

// A sample leaves nothing behind.
await bus.drain();
await bus.removeGroup('invoices', 'billing');
await app.close();

function numbered({ amount }: { amount: number }, index: number): Invoice {
  return { number: index + 1, amount };
}

/** Dead letters are for people to look at, so nothing tells when one comes: look again. */
async function untilThereAre(queue: DeadLetterQueue, count: number): Promise<void> {
  while ((await queue.count()) !== count) await new Promise((resolve) => setTimeout(resolve, 20));
}
