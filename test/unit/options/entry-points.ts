import 'reflect-metadata';
import { BundlingDriver } from '../../../lib/bundling/bundling-driver.js';
import { DiscoBus } from '../../../lib/bus/disco-bus.js';
import { GzipCodec } from '../../../lib/codec/gzip.codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import { DiscoDashboardModule } from '../../../lib/dashboard/dashboard.module.js';
import { MemoryLockStore } from '../../../lib/drivers/memory/locks/memory-lock-store.js';
import { MemoryBroker } from '../../../lib/drivers/memory/memory-broker.js';
import { memoryDriver } from '../../../lib/drivers/memory/memory-driver.js';
import { redisDriver } from '../../../lib/drivers/redis/redis.driver.js';
import { LockManager } from '../../../lib/lock/lock-manager.js';
import { deduplicate } from '../../../lib/middleware/deduplicate.js';
import { retry } from '../../../lib/middleware/retry.js';
import { validate } from '../../../lib/middleware/validate.js';
import { DiscoBusModule } from '../../../lib/nest/disco-bus.module.js';
import { DiscoPayload } from '../../../lib/nest/handlers/disco-params.decorator.js';
import { DiscoSubscribe } from '../../../lib/nest/handlers/disco-subscribe.decorator.js';
import { WithLock } from '../../../lib/nest/locks/with-lock.decorator.js';
import { assertFactoryOptions } from '../../../lib/nest/module-options.js';
import { DiscoOutboxModule } from '../../../lib/outbox/disco-outbox.module.js';
import { ChaosDriver } from '../../../lib/testing/chaos-driver.js';
import { simulate } from '../../../lib/testing/simulation/simulate.js';
import { DiscoBusClient } from '../../../lib/transport/disco-bus.client.js';
import { DiscoBusServer } from '../../../lib/transport/disco-bus.server.js';
import { DiscoRecord } from '../../../lib/transport/disco-record.js';

const bus = () => new DiscoBus({ driver: memoryDriver(), service: 'tests' });
const locks = () => new LockManager(new MemoryLockStore());
const letters = () => bus().deadLetters('orders', 'billing');
const nothing = () => {};

/** Everything that takes options, by what it is called in the tables. */
export const entryPoints = {
  forRoot: (options: any) => DiscoBusModule.forRoot(options),
  forRootAsync: (options: any) => DiscoBusModule.forRootAsync(options),
  'the factory of forRootAsync': (options: any) => assertFactoryOptions(options),
  DiscoBus: (options: any) => new DiscoBus({ driver: memoryDriver(), ...options }),
  publish: (options: any) => bus().publish('orders', 1, options),
  publishBatch: (options: any) => bus().publishBatch('orders', [1], options),
  request: (options: any) => bus().request('orders', 1, options),
  requestStream: (options: any) =>
    bus().requestStream('orders', 1, options, { next: nothing, complete: nothing, error: nothing }),
  subscribe: (options: any) => bus().subscribe('orders', nothing, options),
  declare: (options: any) => bus().declare('orders', options),
  peek: (options: any) => letters().peek(options),
  replayAll: (options: any) => letters().replayAll(options),
  '@DiscoSubscribe': (options: any) => DiscoSubscribe('orders', options),
  '@DiscoPayload': (options: any) => DiscoPayload(options),
  '@WithLock': (options: any) => WithLock('key', options),
  LockManager: (options: any) => new LockManager(new MemoryLockStore(), options),
  acquire: (options: any) => locks().acquire('key', options),
  tryAcquire: (options: any) => locks().tryAcquire('key', options),
  using: (options: any) => locks().using('key', options, nothing),
  semaphore: (options: any) => locks().semaphore('key', 2).acquire(options),
  'readWrite().read': (options: any) => locks().readWrite('key').read.acquire(options),
  'readWrite().write': (options: any) => locks().readWrite('key').write.tryAcquire(options),
  redisDriver: (options: any) => redisDriver(options),
  memoryDriver: (options: any) => memoryDriver(options),
  MemoryBroker: (options: any) => new MemoryBroker(options),
  retry: (options: any) => retry(options),
  deduplicate: (options: any) => deduplicate(options),
  DiscoOutboxModule: (options: any) =>
    DiscoOutboxModule.forRoot({ pool: { query: async () => ({ rows: [] }) }, ...options }),
  validate: (schema: any) => validate(schema),
  GzipCodec: (options: any) => new GzipCodec(new JsonCodec(), options),
  BundlingDriver: (options: any) => new BundlingDriver(memoryDriver(), options),
  ChaosDriver: (options: any) => new ChaosDriver(memoryDriver(), options),
  simulate: (options: any) => simulate(class {}, { act: () => {}, ...options }),
  DiscoBusServer: (options: any) => new DiscoBusServer(options),
  DiscoBusClient: (options: any) => new DiscoBusClient(options),
  'DiscoDashboardModule.forRoot': (options: any) => DiscoDashboardModule.forRoot(options),
  DiscoRecord: (options: any) => new DiscoRecord(1, options),
};

export type EntryPoint = keyof typeof entryPoints;

/** What a call throws or rejects with; undefined if it does neither. */
export async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}
