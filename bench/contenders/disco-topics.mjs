// This library with many topics and groups: DiscoBusService.publish over all of them in turn → bus.subscribe to each.
import { setTimeout as pause } from 'node:timers/promises';
import { fromRoot } from '../harness/library.mjs';

const { Module } = await fromRoot('@nestjs/common');
const { NestFactory } = await fromRoot('@nestjs/core');
const { DiscoBusModule, DiscoBusService } = await fromRoot('nestjs-disco-bus');
const { redisDriver } = await fromRoot('nestjs-disco-bus/redis');

const headers = { 'x-source': 'bench' };
/** So many subscriptions are asked for at a time. */
const AT_ONCE = 500;

/** Resolves with a function that publishes a payload, to `busy` topics in turn; its `bulk` publishes several to one. */
export async function publisher({ busy = 1, ...options }) {
  const bus = await started(options);
  let turn = 0;
  const next = () => `${options.topic}.${turn++ % busy}`;
  const publish = (payload) => bus.publish(next(), payload, { headers });
  return Object.assign(publish, { bulk: (payloads) => bus.publishBatch(next(), payloads, { headers }) });
}

/**
 * Resolves when `topics` topics are subscribed, each by `groups` groups; a handler takes `workMs` and hands the payload to `take`.
 */
export async function consumer({ topics = 1, groups = 1, concurrency, workMs = 0, ...options }, take) {
  const bus = await started(options);
  const handle = workMs === 0 ? take : (payload) => pause(workMs).then(() => take(payload));
  const wanted = Array.from({ length: topics * groups }, (_, index) => index);
  while (wanted.length > 0) {
    const some = wanted.splice(0, AT_ONCE).map((index) =>
      bus.subscribe(`${options.topic}.${index % topics}`, handle, {
        ...(options.delivery === 'at-least-once' && { group: `group-${Math.floor(index / topics)}` }),
        concurrency,
      }),
    );
    await Promise.all(some);
  }
}

async function started({ url, cluster, topic, delivery = 'at-most-once' }) {
  const module = class BenchModule {};
  const bus = DiscoBusModule.forRoot({
    ...(cluster ? { driver: redisDriver({ cluster: { nodes: cluster } }) } : { url }),
    compression: false,
    topics: { [`${topic}.*`]: { delivery } },
    service: 'bench',
  });
  Module({ imports: [bus] })(module);
  const app = await NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
  return app.get(DiscoBusService);
}
