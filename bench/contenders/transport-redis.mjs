// Nest's own Redis transport: ClientProxy.emit → an @EventPattern handler.
import { fromRoot } from '../harness/library.mjs';

const { Controller, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { ClientProxyFactory, EventPattern, Transport } = await fromRoot('@nestjs/microservices');
const { lastValueFrom } = await fromRoot('rxjs');

const PATTERN = 'bench';
const redis = ({ port }) => ({ transport: Transport.REDIS, options: { host: '127.0.0.1', port } });

/** Resolves with a function that emits a payload. */
export async function publisher(options) {
  const client = ClientProxyFactory.create(redis(options));
  await client.connect();
  return (payload) => lastValueFrom(client.emit(PATTERN, payload), { defaultValue: undefined });
}

/** Resolves when the microservice listens; its handler hands each payload to `take`. */
export async function consumer(options, take) {
  class BenchController {
    handle(payload) {
      take(payload);
    }
  }
  const { prototype } = BenchController;
  EventPattern(PATTERN)(prototype, 'handle', Object.getOwnPropertyDescriptor(prototype, 'handle'));
  Controller()(BenchController);
  class BenchModule {}
  Module({ controllers: [BenchController] })(BenchModule);
  const app = await NestFactory.createMicroservice(BenchModule, {
    ...redis(options),
    logger: ['error', 'warn'],
  });
  await app.listen();
}
