import { fromRoot } from './library.mjs';

const { Controller, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { MessagePattern } = await fromRoot('@nestjs/microservices');

/** A controller whose one handler returns what it is given. */
export function echoController(pattern) {
  class EchoController {
    handle(payload) {
      return payload;
    }
  }
  const { prototype } = EchoController;
  MessagePattern(pattern)(prototype, 'handle', Object.getOwnPropertyDescriptor(prototype, 'handle'));
  Controller()(EchoController);
  return EchoController;
}

/** A microservice with that controller; resolves when it listens. */
export async function serve(controller, options) {
  class BenchModule {}
  Module({ controllers: [controller] })(BenchModule);
  const app = await NestFactory.createMicroservice(BenchModule, { ...options, logger: ['error', 'warn'] });
  await app.listen();
  return app;
}
