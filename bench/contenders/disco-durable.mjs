// This library at least once over Redis Streams: DiscoBusService.publish → a @DiscoSubscribe handler, 50 at a time.
import { fromRoot } from '../harness/library.mjs';

const { Injectable, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { DiscoBusModule, DiscoBusService, DiscoSubscribe } = await fromRoot('nestjs-disco-bus');

const headers = { 'x-source': 'bench' };

/** Resolves with a function that publishes a payload; its `bulk` publishes several. */
export async function publisher(options) {
  const bus = (await application(options, [])).get(DiscoBusService);
  const { topic = 'bench' } = options;
  const publish = (payload) => bus.publish(topic, payload, { headers });
  return Object.assign(publish, { bulk: (payloads) => bus.publishBatch(topic, payloads, { headers }) });
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
  DiscoSubscribe(options.topic ?? 'bench', { concurrency: 50 })(prototype, 'handle', descriptor);
  Injectable()(BenchHandler);
  await application(options, [BenchHandler]);
}

function application(
  { url, topic = 'bench', metrics = true, metricsInterval, compression, bundling },
  providers,
) {
  const topics = { [topic]: { delivery: 'at-least-once' } };
  const module = class BenchModule {};
  const bus = DiscoBusModule.forRoot({
    url,
    metrics,
    metricsInterval,
    compression,
    bundling,
    topics,
    service: 'bench',
  });
  Module({ imports: [bus], providers })(module);
  return NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
}
