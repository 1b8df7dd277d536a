import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions, SentinelConnectionOptions } from 'ioredis';
import { ConfigurationError } from '../../errors/bus.errors.js';

/** Redis behind Sentinels, in the terms of ioredis. */
export interface RedisSentinelOptions extends Omit<SentinelConnectionOptions, 'name' | 'sentinelTLS'> {
  /** The primary, as the Sentinels name it. */
  name: string;
  /** TLS to the Sentinels; `false` for none, where only the servers behind them speak it. @default as `tls` says */
  sentinelTLS?: ConnectionOptions | false;
}

interface SentinelTls {
  readonly tls: ConnectionOptions | undefined;
  readonly enableTLSForSentinelMode: boolean;
  readonly sentinelTLS: ConnectionOptions | undefined;
}

/**
 * How connections to the Sentinels and to the servers that they name are secured. ioredis leaves `tls` out for both, without
 * a word, unless it is told so for each: here `tls` is for both, unless `sentinelTLS` says otherwise. Throws
 * {@link ConfigurationError} where the options contradict each other.
 */
export function sentinelTls(
  given: boolean | ConnectionOptions | undefined,
  sentinel: RedisSentinelOptions,
  option: string,
): SentinelTls {
  const said = sentinel.tls as ConnectionOptions | boolean | undefined;
  const tls = objectOf(said ?? given);
  const toSentinels = sentinel.sentinelTLS as ConnectionOptions | boolean | undefined;
  if (tls === undefined && sentinel.enableTLSForSentinelMode)
    throw new ConfigurationError(`${option}: "enableTLSForSentinelMode" needs "tls", else there is none`);
  if (tls !== undefined && (given === false || sentinel.enableTLSForSentinelMode === false))
    throw new ConfigurationError(
      `${option}: "tls" and ${given === false ? '"sentinel.tls"' : '"enableTLSForSentinelMode"'} contradict each other`,
    );
  return {
    tls,
    enableTLSForSentinelMode: tls !== undefined,
    sentinelTLS: objectOf(toSentinels ?? tls),
  };
}

/** Throws {@link ConfigurationError} for a client that was given TLS and speaks none, as ioredis leaves it out behind Sentinels. */
export function refuseLeftOutTls(
  { sentinels, tls, enableTLSForSentinelMode }: RedisOptions,
  option: string,
): void {
  if (!sentinels || !tls || enableTLSForSentinelMode) return;
  throw new ConfigurationError(
    `${option}: ioredis leaves out "tls" behind Sentinels; give the client "enableTLSForSentinelMode", and "sentinelTLS" for the Sentinels`,
  );
}

function objectOf(tls: boolean | ConnectionOptions | undefined): ConnectionOptions | undefined {
  return tls === true ? {} : tls || undefined;
}
