import type {
  Cluster,
  ClusterNode,
  ClusterOptions,
  Redis,
  RedisOptions,
  SentinelConnectionOptions,
} from 'ioredis';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  aBoolean,
  anObject,
  aString,
  checkedElsewhere,
  either,
  type OptionKinds,
  options as within,
} from '../../errors/option-kinds.js';
import type { RedisAddress } from './redis-address.js';
import { parseRedisUrl } from './redis-url.js';

/** Where Redis is. At most one of `url` (or `host`/`port`), `cluster`, `sentinel` and `client` may be given. */
export interface RedisEndpointOptions extends RedisAddress {
  /** `redis://user:password@host:port/db`, `rediss://…` for TLS, or the path of a socket. @default 'redis://127.0.0.1:6379' */
  url?: string;
  /** A Redis Cluster: some of its nodes, and ioredis' cluster options. @default none */
  cluster?: { nodes: readonly ClusterNode[]; options?: ClusterOptions };
  /** Redis behind Sentinels, in the terms of ioredis: `sentinels`, `name`, `sentinelPassword` … @default none */
  sentinel?: SentinelConnectionOptions & { name: string };
  /** An ioredis client of your own to take all settings from. It is duplicated, never used and never closed. @default none */
  client?: Redis | Cluster;
}

/** What each of {@link RedisEndpointOptions} may be. */
export const endpointKinds: OptionKinds<RedisEndpointOptions> = {
  host: checkedElsewhere,
  port: checkedElsewhere,
  db: checkedElsewhere,
  username: aString,
  password: aString,
  tls: either(aBoolean, anObject),
  url: checkedElsewhere,
  cluster: within<NonNullable<RedisEndpointOptions['cluster']>>({
    nodes: checkedElsewhere,
    options: anObject,
  }),
  sentinel: anObject,
  client: checkedElsewhere,
};

/** A checked endpoint: what ioredis needs to make a client for it. */
export type RedisEndpoint =
  | { readonly kind: 'standalone' | 'sentinel'; readonly options: RedisOptions }
  | { readonly kind: 'cluster'; readonly nodes: readonly ClusterNode[]; readonly options: ClusterOptions }
  | { readonly kind: 'client'; readonly client: Redis }
  | { readonly kind: 'cluster-client'; readonly client: Cluster };

/** Checks `options` and settles which kind of endpoint is meant; throws {@link ConfigurationError} without any secret. */
export function resolveEndpoint(options: RedisEndpointOptions, option = 'redisDriver'): RedisEndpoint {
  refuseTwo(options, option);
  if (options.client !== undefined) return clientEndpoint(options.client, option);
  if (options.cluster !== undefined) return clusterEndpoint(options, option);
  const plain = { ...plainOptions(options, option), ...credentials(options, option) };
  if (options.sentinel === undefined) return { kind: 'standalone', options: plain };
  const { sentinels, name } = options.sentinel;
  if (!Array.isArray(sentinels) || sentinels.length === 0 || typeof name !== 'string' || name === '') {
    throw new ConfigurationError(`${option}.sentinel needs "sentinels" and the "name" of the primary`);
  }
  refuseKeyPrefix(options.sentinel, option);
  return { kind: 'sentinel', options: { ...credentials(options, option), ...options.sentinel } };
}

/** Whether the endpoint is a Redis Cluster. */
export function isCluster(endpoint: RedisEndpoint): boolean {
  return endpoint.kind === 'cluster' || endpoint.kind === 'cluster-client';
}

/** Host and port, or what stands for them: no credential in it, so it may be logged. */
export function describeEndpoint(endpoint: RedisEndpoint): string {
  switch (endpoint.kind) {
    case 'cluster':
    case 'cluster-client':
      return 'a Redis Cluster';
    case 'sentinel':
      return `Redis "${endpoint.options.name}" behind Sentinels`;
    case 'client':
      return address(endpoint.client.options);
    case 'standalone':
      return address(endpoint.options);
  }
}

function address({ path, host, port, sentinels }: RedisOptions): string {
  if (sentinels) return 'Redis behind Sentinels';
  return path ? `Redis at ${path}` : `Redis at ${host ?? '127.0.0.1'}:${port ?? 6379}`;
}

function refuseTwo(options: RedisEndpointOptions, option: string): void {
  const given = (['url', 'host', 'cluster', 'sentinel', 'client'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (given.length > 1) {
    throw new ConfigurationError(
      `${option}: give only one of ${given.map((name) => `"${name}"`).join(' and ')}`,
    );
  }
}

function plainOptions(options: RedisEndpointOptions, option: string): RedisOptions {
  if (options.url !== undefined && typeof options.url !== 'string') {
    throw new ConfigurationError(`${option}.url is not a string`);
  }
  const { host = '127.0.0.1', port = 6379 } = options;
  if (typeof host !== 'string' || host === '') throw new ConfigurationError(`${option}.host is not a name`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigurationError(`${option}.port is not a port number`);
  }
  return options.url === undefined ? { host, port } : parseRedisUrl(options.url, `${option}.url`);
}

/** What is common to every kind of endpoint: who logs in, over what, to which database. */
function credentials(options: RedisEndpointOptions, option: string): RedisOptions {
  const { db, username, password, tls } = options;
  if (db !== undefined && !(Number.isInteger(db) && db >= 0)) {
    throw new ConfigurationError(`${option}.db is not a database number`);
  }
  const given: RedisOptions = {};
  if (db !== undefined) given.db = db;
  if (username !== undefined) given.username = username;
  if (password !== undefined) given.password = password;
  if (tls) given.tls = tls === true ? {} : tls;
  return given;
}

function clusterEndpoint(options: RedisEndpointOptions, option: string): RedisEndpoint {
  const { nodes, options: clusterOptions = {} } = options.cluster ?? { nodes: [] };
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new ConfigurationError(`${option}.cluster.nodes names no node`);
  }
  refuseKeyPrefix(clusterOptions, option);
  refuseKeyPrefix(clusterOptions.redisOptions, option);
  const { db: _none, ...common } = credentials(options, option);
  const redisOptions = { ...common, ...clusterOptions.redisOptions };
  return { kind: 'cluster', nodes, options: { ...clusterOptions, redisOptions } };
}

function clientEndpoint(client: Redis | Cluster, option: string): RedisEndpoint {
  if (typeof client?.duplicate !== 'function' || typeof client.options !== 'object') {
    throw new ConfigurationError(`${option}.client is not an ioredis client`);
  }
  refuseKeyPrefix(client.options, option);
  if (!client.isCluster) return { kind: 'client', client: client as Redis };
  refuseKeyPrefix((client as Cluster).options.redisOptions, option);
  return { kind: 'cluster-client', client: client as Cluster };
}

/** ioredis would put it before channels and keys on some paths and not on others; the driver has its own `prefix`. */
function refuseKeyPrefix(options: object | undefined, option: string): void {
  if ((options as { keyPrefix?: string } | undefined)?.keyPrefix) {
    throw new ConfigurationError(`${option}: ioredis' keyPrefix is not supported; use the driver's "prefix"`);
  }
}
