import { Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { WarehouseService } from './warehouse.service.js';

@Module({
  imports: [
    PrometheusModule.register(),
    // Embedded, on a broker that others in this process can reach, unless the environment names a Redis
    DiscoBusModule.forRoot({ url: process.env.DISCO_BUS_URL ?? 'memory:warehouse', service: 'warehouse' }),
  ],
  providers: [WarehouseService],
})
export class AppModule {}
