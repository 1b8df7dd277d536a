import { type DynamicModule, Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { DiscoOutboxModule } from 'nestjs-disco-bus/outbox';
import { Pool } from 'pg';
import { BillingService } from './billing.service.js';
import { ShopService } from './shop.service.js';

@Module({})
export class AppModule {
  static on(pool: Pool): DynamicModule {
    return {
      module: AppModule,
      imports: [
        // Embedded, unless the environment names a Redis
        DiscoBusModule.forRoot({
          url: process.env.DISCO_BUS_URL ?? 'memory:',
          service: 'shop',
          topics: { 'orders.placed': { delivery: 'at-least-once', retry: { attempts: 3 } } },
        }),
        DiscoOutboxModule.forRoot({ pool, table: 'sample_outbox' }),
      ],
      providers: [{ provide: Pool, useValue: pool }, ShopService, BillingService],
    };
  }
}
