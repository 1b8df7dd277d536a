// An application with NestJS Observe, which sends what it has seen to OBSERVE_ENDPOINT; `instrument` as the argument says.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createObserveModule } from '@nestjs/observe';
import { DiscoBusModule, DiscoBusService, DiscoSubscribe } from 'nestjs-disco-bus';

const { ObserveModule, ObserveInstrument } = createObserveModule();

@Injectable()
class Prices {
  of(item: string): number {
    if (item === 'a unicorn') throw new Error('there are no unicorns');
    return item.length;
  }
}

@Injectable()
class Orders {
  constructor(private readonly prices: Prices) {}

  @DiscoSubscribe('orders.placed', { retry: { attempts: 1 } })
  async bill(item: string): Promise<void> {
    await Promise.resolve();
    this.prices.of(item);
    process.send!({ handled: item });
  }
}

@Module({
  imports: [
    ObserveModule.forRoot({ appKey: 'key', appSecret: 'secret', serviceId: 'shop', flushInterval: 1_000 }),
    DiscoBusModule.forRoot({ url: 'memory:', service: 'shop', metrics: false }),
  ],
  providers: [Prices, Orders],
})
class AppModule {}

const instrument = process.argv[2] === 'instrument' ? { instrument: ObserveInstrument } : {};
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'], ...instrument });
await app.init();
const bus = app.get(DiscoBusService);
for (const item of ['a fog machine', 'a unicorn']) {
  // A trace of the publisher's own, which Observe would take for the run's.
  await bus.publish('orders.placed', item, { headers: { 'x-request-id': 'of-the-publisher' } });
}
process.once('message', () => void app.close().then(() => process.exit(0)));
process.once('disconnect', () => process.exit(1));
