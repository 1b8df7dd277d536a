// Prints how long the imports (Nest's three packages: the transport is in one of them, and loads ioredis when it starts) and
// the start of a microservice with one handler take. argv: Redis' port.
import { fromRoot } from '../harness/library.mjs';

const startMs = performance.now();
const { Controller, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { EventPattern, Transport } = await fromRoot('@nestjs/microservices');
const importedMs = performance.now();

class Handler {
  handle() {}
}
const { prototype } = Handler;
EventPattern('bench')(prototype, 'handle', Object.getOwnPropertyDescriptor(prototype, 'handle'));
Controller()(Handler);
class StartModule {}
Module({ controllers: [Handler] })(StartModule);
const app = await NestFactory.createMicroservice(StartModule, {
  transport: Transport.REDIS,
  options: { host: '127.0.0.1', port: Number(process.argv[2]) },
  logger: ['error', 'warn'],
});
await app.listen();
const readyMs = performance.now();
console.log(JSON.stringify({ importMs: importedMs - startMs, readyMs: readyMs - importedMs }));
process.exit(0);
