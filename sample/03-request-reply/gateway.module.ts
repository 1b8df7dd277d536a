import { Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { DiscoBusClient } from 'nestjs-disco-bus/transport';
import { GatewayController } from './gateway.controller.js';
import { url } from './transport.js';

@Module({
  imports: [
    ClientsModule.register([
      { name: 'WAREHOUSE', customClass: DiscoBusClient, options: { url, timeout: '5s' } },
    ]),
  ],
  controllers: [GatewayController],
})
export class GatewayModule {}
