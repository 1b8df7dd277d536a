import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../errors/bus.errors.js';
import {
  aBoolean,
  anObject,
  aPassword,
  aString,
  checkedElsewhere,
  either,
  type OptionKinds,
  options as within,
} from '../../errors/option-kinds.js';
import type { RedisAddress, RedisPasswordSource } from './redis-address.js';
import { type RedisSentinelOptions, refuseLeftOutTls, sentinelTls } from './sentinel-tls.js';
import { credentials, standaloneOptions } from './standalone-options.js';

/** Where Redis is. At most one of `url` (or `host`/`port`), `cluster`, `sentinel` and `client` may be given. */
export interface RedisEndpointOptions extends RedisAddress {
  /** `redis://user:password@host:port/db`, `rediss://…` for TLS, or the path of a socket. @default 'redis://127.0.0.1:6379' */
  url?: string;
  /** A Redis Cluster: some of its nodes, and ioredis' cluster options. @default none */
  cluster?: { nodes: readonly ClusterNode[]; options?: ClusterOptions };
  /**
   * Redis behind Sentinels, in the terms of ioredis: `sentinels`, `name`, `sentinelPassword` … `tls` is for the Sentinels as well,
   * unless `sentinelTLS` says otherwise. @default none
   */
  sentinel?: RedisSentinelOptions;
  /** An ioredis client of your own to take all settings from. It is duplicated, never used and never closed. @default none */
  client?: Redis | Cluster;
}

/** What each of {@link RedisEndpointOptions} may be. */
export const endpointKinds: OptionKinds<RedisEndpointOptions> = {
  host: checkedElsewhere,
  port: checkedElsewhere,
  db: checkedElsewhere,
  username: aString,
  password: aPassword,
  tls: either(aBoolean, anObject),
  url: checkedElsewhere,
  cluster: within<NonNullable<RedisEndpointOptions['cluster']>>({
    nodes: checkedElsewhere,
    options: anObject,
  }),
  sentinel: anObject,
  client: checkedElsewhere,
};

/** A checked endpoint: what ioredis needs to make a client for it. `password` stands for the one of the options where it is asked for. */
export type RedisEndpoint =
  | {
      readonly kind: 'standalone' | 'sentinel';
      readonly options: RedisOptions;
      readonly password?: RedisPasswordSource;
    }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly ClusterNode[];
      readonly options: ClusterOptions;
      readonly password?: RedisPasswordSource;
    }
  | { readonly kind: 'client'; readonly client: Redis }
  | { readonly kind: 'cluster-client'; readonly client: Cluster };

/**
 * Checks `options` as a whole and settles which kind of endpoint is meant; throws {@link ConfigurationError} without any
 * secret.
 */
export function resolveEndpoint(options: RedisEndpointOptions, option = 'redisDriver'): RedisEndpoint {
  refuseTwo(options, option);
  if (options.client !== undefined) return clientEndpoint(options.client, option);
  if (options.cluster !== undefined) return clusterEndpoint(options, option);
  if (options.sentinel !== undefined) return sentinelEndpoint(options, options.sentinel, option);
  return { kind: 'standalone', options: standaloneOptions(options, option), ...passwordSource(options) };
}

/** Whether nothing says where Redis is, so that it is looked for on this machine. */
export function isFallback({ url, host, cluster, sentinel, client }: RedisEndpointOptions): boolean {
  return [url, host, cluster, sentinel, client].every((each) => each === undefined);
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
      return `Redis "${endpoint.options.name}" behind Sentinels${overTls(endpoint.options)}${database(endpoint.options)}`;
    case 'client':
      return address(endpoint.client.options);
    case 'standalone':
      return address(endpoint.options);
  }
}

function address(options: RedisOptions): string {
  const { path, host, port, sentinels } = options;
  if (sentinels) return `Redis behind Sentinels${overTls(options)}${database(options)}`;
  const at = path ?? `${host ?? '127.0.0.1'}:${port ?? 6379}`;
  return `Redis at ${at}${overTls(options)}${database(options)}`;
}

function overTls({ tls }: RedisOptions): string {
  return tls ? ' over TLS' : '';
}

function database({ db }: RedisOptions): string {
  return db ? `, database ${db}` : '';
}

/** What says where Redis is: one of these. */
const places = ['url', 'host', 'cluster', 'sentinel', 'client'] as const;
/** What each of them has no place for. */
const strangers = {
  url: [],
  host: [],
  cluster: ['port', 'db'],
  sentinel: ['port'],
  client: ['port', 'db', 'username', 'password', 'tls'],
} as const;

function refuseTwo(options: RedisEndpointOptions, option: string): void {
  const given = places.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new ConfigurationError(
      `${option}: give only one of ${given.map((name) => `"${name}"`).join(' and ')}`,
    );
  }
  const [place] = given;
  if (place === undefined && Object.hasOwn(options, 'url')) {
    throw new ConfigurationError(`${option}.url is undefined; without the option it is ${FALLBACK_URL}`);
  }
  const stranger = place && strangers[place].find((name) => options[name] !== undefined);
  if (stranger) throw new ConfigurationError(`${option}: "${stranger}" has no meaning beside "${place}"`);
}

const FALLBACK_URL = 'redis://127.0.0.1:6379';

function passwordSource({ password }: RedisEndpointOptions): { password?: RedisPasswordSource } {
  return typeof password === 'function' ? { password } : {};
}

function sentinelEndpoint(
  options: RedisEndpointOptions,
  sentinel: RedisSentinelOptions,
  option: string,
): RedisEndpoint {
  const { sentinels, name } = sentinel;
  if (!Array.isArray(sentinels) || sentinels.length === 0 || typeof name !== 'string' || name === '') {
    throw new ConfigurationError(`${option}.sentinel needs "sentinels" and the "name" of the primary`);
  }
  refuseKeyPrefix(sentinel, option);
  refuseReplicas(sentinel, option);
  const secured = sentinelTls(options.tls, sentinel, option);
  return {
    kind: 'sentinel',
    options: { ...credentials(options, option), ...sentinel, ...secured },
    ...passwordSource(options),
  };
}

function clusterEndpoint(options: RedisEndpointOptions, option: string): RedisEndpoint {
  const { nodes, options: clusterOptions = {} } = options.cluster ?? { nodes: [] };
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new ConfigurationError(`${option}.cluster.nodes names no node`);
  }
  refuseKeyPrefix(clusterOptions, option);
  refuseKeyPrefix(clusterOptions.redisOptions, option);
  const redisOptions = { ...credentials(options, option), ...clusterOptions.redisOptions };
  return { kind: 'cluster', nodes, options: { ...clusterOptions, redisOptions }, ...passwordSource(options) };
}

function clientEndpoint(client: Redis | Cluster, option: string): RedisEndpoint {
  if (typeof client?.duplicate !== 'function' || typeof client.options !== 'object') {
    throw new ConfigurationError(`${option}.client is not an ioredis client`);
  }
  refuseKeyPrefix(client.options, option);
  refuseReplicas(client.options, option);
  refuseLeftOutTls(client.options as RedisOptions, option);
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

/** Replicas take no writes; where only listening is wanted of them, they are the `reader`. */
function refuseReplicas(options: object, option: string): void {
  if (!option.endsWith('.reader') && (options as RedisOptions).role === 'slave') {
    throw new ConfigurationError(
      `${option}: ioredis' role "slave" leads to a replica, which takes no writes; give it as the driver's "reader"`,
    );
  }
}
