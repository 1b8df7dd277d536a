import { randomUUID } from 'node:crypto';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aString, having, type OptionKinds } from '../../errors/option-kinds.js';
import type { IdempotencyClaim, IdempotencyStore } from '../../message/idempotency-store.js';

/** A client that runs scripts: a `Redis` or `Cluster` of ioredis does as it is. */
export interface ScriptClient {
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
}

/** What is remembered in Redis. */
export interface RedisIdempotencyOptions {
  /** A client of your own, which stays yours to close. */
  client: ScriptClient;
  /** Stands before every key. @default 'disco:handled:' */
  prefix?: string;
}

const kinds: OptionKinds<RedisIdempotencyOptions> = {
  client: having('a client of ioredis', 'eval'),
  prefix: aString,
};

const claimScript = `
local known = redis.call('GET', KEYS[1])
if not known then
  redis.call('SET', KEYS[1], 'r' .. ARGV[1], 'PX', ARGV[2])
  return {'claimed'}
end
if string.sub(known, 1, 1) == 'r' then return {'running', redis.call('PTTL', KEYS[1])} end
return {'done', string.sub(known, 2)}`;

const completeScript = `
if redis.call('GET', KEYS[1]) ~= 'r' .. ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'd' .. ARGV[3], 'PX', ARGV[2])
return 1`;

const abandonScript = `
if redis.call('GET', KEYS[1]) ~= 'r' .. ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/**
 * Remembers in Redis what was handled, one key for each message, which expires: the memory that it takes is bounded by
 * `keep` alone. For `deduplicate({ store })`. Its claims reject with the client's own errors. Throws ConfigurationError.
 */
export function redisIdempotencyStore(options: RedisIdempotencyOptions): IdempotencyStore {
  assertOptions('redisIdempotencyStore', options, kinds);
  if (options?.client === undefined)
    throw new ConfigurationError('redisIdempotencyStore needs a client of ioredis');
  const { client, prefix = 'disco:handled:' } = options;
  const run = (script: string, key: string, ...args: (string | number)[]) =>
    client.eval(script, 1, prefix + key, ...args.map(String));
  return {
    async claim(key, leaseMs) {
      const lease = randomUUID();
      const [state, rest] = (await run(claimScript, key, lease, leaseMs)) as [string, unknown?];
      return claimOf(state as IdempotencyClaim['state'], lease, rest);
    },
    async complete(key, lease, { keepMs, result = '' }) {
      return (await run(completeScript, key, lease, keepMs, result)) === 1;
    },
    abandon: (key, lease) => run(abandonScript, key, lease),
  };
}

function claimOf(state: IdempotencyClaim['state'], lease: string, rest: unknown): IdempotencyClaim {
  if (state === 'claimed') return { state, lease };
  if (state === 'running') return { state, leftMs: Math.max(0, Number(rest)) };
  return rest === '' ? { state } : { state, result: String(rest) };
}
