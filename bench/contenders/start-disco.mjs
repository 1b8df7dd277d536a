// Prints how long the imports (Nest's three packages first, as the peer) and the start of an application with one handler
// take. argv: Redis' port.
import { fromRoot } from '../harness/library.mjs';

const startMs = performance.now();
const { Injectable, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
await fromRoot('@nestjs/microservices');
const nestMs = performance.now();
const { DiscoBusModule, DiscoSubscribe } = await fromRoot('nestjs-disco-bus');
const importedMs = performance.now();

class Handler {
  handle() {}
}
const { prototype } = Handler;
DiscoSubscribe('bench')(prototype, 'handle', Object.getOwnPropertyDescriptor(prototype, 'handle'));
Injectable()(Handler);
class StartModule {}
Module({
  imports: [DiscoBusModule.forRoot({ url: `redis://127.0.0.1:${process.argv[2]}`, service: 'bench' })],
  providers: [Handler],
})(StartModule);
await NestFactory.createApplicationContext(StartModule, { logger: ['error', 'warn'] });
const readyMs = performance.now();
console.log(
  JSON.stringify({ nestMs: nestMs - startMs, importMs: importedMs - startMs, readyMs: readyMs - importedMs }),
);
process.exit(0);
