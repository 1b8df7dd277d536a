// An application that consumes the package. It is copied out of the repository and compiled there, once as ESM and once
// as CommonJS: so no top-level await, and nothing but the package's public names.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  DiscoBusModule,
  DiscoBusService,
  type DiscoMessageContext,
  DiscoSubscribe,
  isDiscoBusError,
  type PublishReceipt,
} from 'nestjs-disco-bus';

interface Order {
  readonly number: number;
}

const expected = 3;
let allHandled: () => void;
const handled = new Promise<void>((resolve) => {
  allHandled = resolve;
});

@Injectable()
class Shipping {
  private count = 0;

  constructor(readonly bus: DiscoBusService) {}

  @DiscoSubscribe('orders')
  ship(order: Order, context: DiscoMessageContext): void {
    console.log(`handled order ${order.number} from ${context.headers.source}`);
    if (++this.count === expected) allHandled();
  }
}

@Module({
  imports: [DiscoBusModule.forRoot({ service: 'shop' })],
  providers: [Shipping],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  const { bus } = app.get(Shipping);
  for (let number = 1; number <= expected; number++) {
    const receipt: PublishReceipt = await bus.publish('orders', { number }, { headers: { source: 'shop' } });
    console.log(`published ${receipt.topic}`);
  }
  await handled;
  await app.close();
  console.log('closed');
}

main().catch((error: unknown) => {
  console.error(isDiscoBusError(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
