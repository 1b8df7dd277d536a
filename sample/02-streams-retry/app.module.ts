import { Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { BankService } from './bank.service.js';
import { BillingService } from './billing.service.js';

@Module({
  imports: [
    DiscoBusModule.forRoot({
      // Embedded, unless the environment names a Redis: DISCO_BUS_URL=redis://127.0.0.1:6379
      url: process.env.DISCO_BUS_URL ?? 'memory:',
      service: 'billing',
      // Named durable in one place: publishers and subscribers both read it here.
      topics: {
        invoices: {
          delivery: 'at-least-once',
          retry: { attempts: 3, backoff: { type: 'fixed', delay: '50ms' } },
        },
      },
    }),
  ],
  providers: [BankService, BillingService],
})
export class AppModule {}
