import { Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { CheckoutService } from './checkout.service.js';
import { WarehouseService } from './warehouse.service.js';

@Module({
  imports: [
    PrometheusModule.register(),
    // Embedded, unless the environment names a Redis: DISCO_BUS_URL=redis://127.0.0.1:6379
    DiscoBusModule.forRoot({ url: process.env.DISCO_BUS_URL ?? 'memory:', service: 'warehouse' }),
  ],
  providers: [CheckoutService, WarehouseService],
})
export class AppModule {}
