// This library at least once over Redis Streams: DiscoBusService.publish → a @DiscoSubscribe handler, 50 at a time.
import { fromRoot } from '../harness/library.mjs';

const { Injectable, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { DiscoBusModule, DiscoBusService, DiscoSubscribe } = await fromRoot('nestjs-disco-bus');

const TOPIC = 'bench';
const headers = { 'x-source': 'bench' };

/** Resolves with a function that publishes a payload; its `bulk` publishes several. */
export async function publisher(options) {
  const bus = (await application(options, [])).get(DiscoBusService);
  const publish = (payload) => bus.publish(TOPIC, payload, { headers });
  return Object.assign(publish, { bulk: (payloads) => bus.publishBatch(TOPIC, payloads, { headers }) });
}

/** Resolves when the handler is subscribed; it hands each payload to `take`. */
export async function consumer(options, take) {
  class BenchHandler {
    async handle(payload) {
      take(payload);
    }
  }
  const { prototype } = BenchHandler;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'handle');
  DiscoSubscribe(TOPIC, { concurrency: 50 })(prototype, 'handle', descriptor);
  Injectable()(BenchHandler);
  await application(options, [BenchHandler]);
}

function application({ url, metrics = true, compression }, providers) {
  const topics = { [TOPIC]: { delivery: 'at-least-once' } };
  const module = class BenchModule {};
  const bus = DiscoBusModule.forRoot({ url, metrics, compression, topics, service: 'bench' });
  Module({ imports: [bus], providers })(module);
  return NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
}
