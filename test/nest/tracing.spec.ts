import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DiscoBusModule } from '../../lib/nest/disco-bus.module.js';
import { DiscoBusService } from '../../lib/nest/disco-bus.service.js';
import { DiscoSubscribe } from '../../lib/nest/handlers/disco-subscribe.decorator.js';
import { openTelemetry } from '../../lib/opentelemetry/open-telemetry.js';
import { Telemetry } from '../support/telemetry.js';

@Injectable()
class Orders {
  constructor(readonly bus: DiscoBusService) {}

  @DiscoSubscribe('orders')
  handle(order: number): Promise<number> {
    return this.bus.locks.using(`order:${order}`, () => order);
  }
}

it('DiscoBusModule gives `tracing` to its bus and its locks', async () => {
  const telemetry = new Telemetry();
  const imports = [DiscoBusModule.forRoot({ url: 'memory:', service: 'g', tracing: openTelemetry() })];
  const module = await Test.createTestingModule({ imports, providers: [Orders] })
    .setLogger(false as never)
    .compile();
  await module.createNestApplication().init();
  await module.get(DiscoBusService).publish('orders', 1);
  const [publish] = await telemetry.named('publish orders');
  const [process] = await telemetry.named('process orders');
  const [hold] = await telemetry.named('hold lock');
  expect(process.parentId).toBe(publish.spanId);
  expect(hold.parentId).toBe(process.spanId);
  await module.close();
  await telemetry.close();
});
