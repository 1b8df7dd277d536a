// This library: DiscoBusService.publish → a @DiscoSubscribe handler, with headers, and metrics on unless told otherwise.
import { fromRoot } from '../harness/library.mjs';

const { Injectable, Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { DiscoBusModule, DiscoBusService, DiscoSubscribe, defineTopic } = await fromRoot('nestjs-disco-bus');

const headers = { 'x-source': 'bench' };
const defaults = { delivery: 'at-most-once' };
const passOn = (next) => (context) => next(context);

/** Resolves with a function that publishes a payload. */
export async function publisher(options) {
  return publishThrough(await application({ ...options, defaults }), await topicOf(options));
}

/** Resolves when the handler is subscribed; it hands each payload to `take`. */
export async function consumer(options, take) {
  await application({ ...options, defaults }, take);
}

/** Both in this process. */
export async function application(
  { url, topic, metrics = true, middleware = 0, tracing = false, compression, defaults, schema },
  take,
) {
  const chain = Array.from({ length: middleware }, () => passOn);
  const module = class BenchModule {};
  Module({
    imports: [
      DiscoBusModule.forRoot({
        url,
        metrics,
        ...(tracing && { tracing: await openTelemetry() }),
        compression,
        middleware: chain,
        service: 'bench',
        defaults,
      }),
    ],
    providers: take ? [handler(take, await topicOf({ topic, schema }))] : [],
  })(module);
  return NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
}

/** With `schema` a definition: `'checked'` at both ends, or `'unchecked'` at neither. */
async function topicOf({ topic = 'bench', schema }) {
  if (schema === undefined) return topic;
  const { z } = await fromRoot('zod');
  const checks = schema === 'checked';
  return defineTopic(topic, {
    ...defaults,
    schema: z.object({ at: z.number(), text: z.string() }),
    validate: { publish: checks, handle: checks },
  });
}

/** Every span is recorded, and nothing is exported: what exporting costs is the exporter's. */
async function openTelemetry() {
  const { BasicTracerProvider } = await fromRoot('@opentelemetry/sdk-trace-base');
  const { openTelemetry } = await fromRoot('nestjs-disco-bus/opentelemetry');
  return openTelemetry({ tracerProvider: new BasicTracerProvider() });
}

export function publishThrough(app, topic = 'bench') {
  const bus = app.get(DiscoBusService);
  return (payload) => bus.publish(topic, payload, { headers });
}

function handler(take, topic = 'bench') {
  class BenchHandler {
    handle(payload) {
      take(payload);
    }
  }
  const { prototype } = BenchHandler;
  DiscoSubscribe(topic)(prototype, 'handle', Object.getOwnPropertyDescriptor(prototype, 'handle'));
  Injectable()(BenchHandler);
  return BenchHandler;
}
