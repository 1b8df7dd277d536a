export { RedisDriver, redisDriver } from './redis.driver.js';
export type { RedisAddress, RedisPasswordSource } from './redis-address.js';
export type { RedisEndpointOptions } from './redis-endpoint.js';
export {
  type RedisIdempotencyOptions,
  redisIdempotencyStore,
  type ScriptClient,
} from './redis-idempotency-store.js';
export type { RedisBufferLimit, RedisDriverOptions } from './redis-options.js';
export type { RedisSentinelOptions } from './sentinel-tls.js';
export type {
  RedisAbandonedOptions,
  RedisStreamOptions,
  RedisUnreadOptions,
  StreamDurability,
} from './streams/stream-options.js';
