import { readFile } from 'node:fs/promises';
import type * as redisDrivers from '../drivers/redis/index.js';
import type { RedisDriver } from '../drivers/redis/redis.driver.js';
import { parseRedisUrl } from '../drivers/redis/redis-url.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { isMissingPackage } from '../errors/missing-package.js';
import { CommandFailure, exitCodes, usageError } from './exit-codes.js';

/** Files of a connection over TLS, in PEM. */
export interface TlsFiles {
  /** Who is to have signed the server's certificate, beside those that Node trusts. */
  readonly ca: string | undefined;
  /** The client's own certificate, with its key. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Where a session leads. */
export interface Target {
  /** @default DISCO_BUS_URL, else Redis on this machine */
  readonly url: string | undefined;
  readonly prefix: string;
  readonly cluster: boolean;
  /** The name of a primary that a Sentinel at `url` knows. */
  readonly sentinel: string | undefined;
  readonly tls: TlsFiles;
  readonly timeoutMs: number;
  readonly verbose: boolean;
}

const FALLBACK_URL = 'redis://127.0.0.1:6379';

/** A driver that leads there, not connected yet. Rejects with a usage error, without any secret, for what cannot be. */
export async function driverOf(target: Target): Promise<RedisDriver> {
  const { url, prefix, cluster, sentinel, timeoutMs } = target;
  const { redisDriver } = await loadRedis();
  const given = url ?? process.env.DISCO_BUS_URL ?? FALLBACK_URL;
  if (given.startsWith('memory:'))
    throw usageError('memory: is within one process, and nobody else can look into it: give a redis:// url');
  if (cluster && sentinel !== undefined) throw usageError('Give only one of --cluster and --sentinel');
  const common = { prefix, connectTimeout: timeoutMs, commandTimeout: timeoutMs };
  const said = configured(() => parseRedisUrl(given, 'The url'));
  const files = await tlsOf(target.tls);
  if (files !== undefined && !said.secure)
    throw usageError('--tls-ca, --tls-cert and --tls-key need a rediss:// url');
  const tls = said.secure ? { tls: files ?? {} } : {};
  if (!cluster && sentinel === undefined)
    return configured(() => redisDriver({ url: given, ...common, ...(files && { tls: files }) }));
  if (said.path !== undefined) throw usageError('A socket is one server: give a redis:// url');
  const { host = '127.0.0.1', port = 6379, username, password, db } = said;
  const login = {
    ...(username && { username }),
    ...(password && { password }),
    ...(db !== undefined && { db }),
  };
  const nodes = [{ host, port }];
  return configured(() => {
    if (sentinel === undefined) return redisDriver({ cluster: { nodes }, ...login, ...tls, ...common });
    const behind = { sentinels: nodes, name: sentinel, ...sentinelLogin() };
    return redisDriver({ sentinel: behind, ...login, ...tls, ...common });
  });
}

/** Sentinels have a password of their own. */
function sentinelLogin() {
  const { DISCO_BUS_SENTINEL_USERNAME: username, DISCO_BUS_SENTINEL_PASSWORD: password } = process.env;
  return { ...(username && { sentinelUsername: username }), ...(password && { sentinelPassword: password }) };
}

async function tlsOf({ ca, cert, key }: TlsFiles): Promise<Record<string, Buffer> | undefined> {
  if ((cert === undefined) !== (key === undefined)) throw usageError('--tls-cert and --tls-key go together');
  const read: Record<string, Buffer> = {};
  for (const [name, file] of Object.entries({ ca, cert, key })) {
    if (file !== undefined) read[name] = await contentsOf(`--tls-${name}`, file);
  }
  return Object.keys(read).length === 0 ? undefined : read;
}

async function contentsOf(flag: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw usageError(`${flag} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** What `make` returns; a ConfigurationError that it throws is a wrong use. */
export function configured<Made>(make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    throw isDiscoBusError(error, 'DISCO_CONFIGURATION') ? usageError(error.message) : error;
  }
}

async function loadRedis(): Promise<typeof redisDrivers> {
  try {
    return await import('../drivers/redis/index.js');
  } catch (error) {
    if (!isMissingPackage(error, ['ioredis'])) throw error;
    throw new CommandFailure(exitCodes.failed, 'The package "ioredis" is needed: npm install ioredis');
  }
}
