import { Module } from '@nestjs/common';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { DiscoDashboardModule } from 'nestjs-disco-bus/dashboard';
import { KitchenService } from './kitchen.service.js';

@Module({
  imports: [
    DiscoBusModule.forRoot({
      // Embedded, unless the environment names a Redis: DISCO_BUS_URL=redis://127.0.0.1:6379
      url: process.env.DISCO_BUS_URL ?? 'memory:',
      service: 'kitchen',
      defaults: { delivery: 'at-least-once' },
      topics: {
        meals: { retry: { attempts: 2, backoff: { type: 'fixed', delay: '1s' } } },
      },
    }),
    // For this computer alone: an application that others reach has guards here.
    DiscoDashboardModule.forRoot({ readOnly: false, payloads: 'masked', audit: { who: () => 'the chef' } }),
  ],
  providers: [KitchenService],
})
export class AppModule {}
