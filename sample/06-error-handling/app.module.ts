import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { DiscoBusModule } from 'nestjs-disco-bus';
import { openTelemetry } from 'nestjs-disco-bus/opentelemetry';
import { DiscoBusHealthIndicator } from 'nestjs-disco-bus/terminus';
import { HealthController } from './health.controller.js';
import { WarehouseService } from './warehouse.service.js';

@Module({
  imports: [
    PrometheusModule.register(), // GET /metrics
    TerminusModule, // GET /health
    // Embedded, on a broker that others in this process can reach, unless the environment names a Redis
    // At most once: what a handler fails on is dropped, told and counted. At least once it is retried and kept
    DiscoBusModule.forRoot({
      url: process.env.DISCO_BUS_URL ?? 'memory:warehouse',
      service: 'warehouse',
      defaults: { delivery: 'at-most-once' },
      tracing: openTelemetry(),
    }),
  ],
  controllers: [HealthController],
  providers: [WarehouseService, DiscoBusHealthIndicator],
})
export class AppModule {}
