import { Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { DiscoBusModule, DiscoBusService } from 'nestjs-disco-bus';
import { DiscoBusClient } from 'nestjs-disco-bus/transport';
import { OrdersController } from './orders.controller.js';
import { OrdersGateway } from './orders.gateway.js';

@Module({
  imports: [
    // Embedded, unless the environment names a Redis: DISCO_BUS_URL=redis://127.0.0.1:6379
    DiscoBusModule.forRoot({ url: process.env.DISCO_BUS_URL ?? 'memory:', service: 'orders' }),
    // The client shares the module's bus, and so its connections.
    ClientsModule.registerAsync([
      {
        name: 'ORDERS',
        inject: [DiscoBusService],
        useFactory: (bus: DiscoBusService) => ({ customClass: DiscoBusClient, options: { bus } }),
      },
    ]),
  ],
  controllers: [OrdersGateway, OrdersController],
})
export class AppModule {}
