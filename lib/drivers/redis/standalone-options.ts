import { isIP } from 'node:net';
import type { RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../errors/bus.errors.js';
import type { RedisAddress } from './redis-address.js';
import { parseRedisUrl } from './redis-url.js';

/** What the URL and the other options say together. */
export function standaloneOptions(options: RedisAddress & { url?: string }, option: string): RedisOptions {
  if (options.url !== undefined && typeof options.url !== 'string') {
    throw new ConfigurationError(`${option}.url is not a string`);
  }
  const said = options.url === undefined ? {} : parseRedisUrl(options.url, `${option}.url`);
  const given = credentials(options, option);
  const port = options.port === undefined ? undefined : portOf(options.port, option);
  const merged: RedisOptions = {
    username: agreed('username', said.username, given.username, option),
    password: agreed('password', said.password, given.password, option),
    db: agreed('db', said.db, given.db, option),
    family: said.family,
  };
  const asked = typeof options.password === 'function';
  if (asked && said.password !== undefined) contradict('password', option);
  if (merged.username !== undefined && merged.password === undefined && !asked) {
    throw new ConfigurationError(`${option}: a "username" needs a "password"`);
  }
  if (said.secure && options.tls === false) {
    throw new ConfigurationError(`${option}: the url says TLS and "tls" says false`);
  }
  if (said.path !== undefined) {
    const stranger = port === undefined ? options.tls && 'tls' : 'port';
    if (stranger)
      throw new ConfigurationError(`${option}: "${stranger}" has no meaning beside a socket's path`);
    return defined({ path: said.path, ...merged });
  }
  const host = options.host === undefined ? said.host : hostOf(options.host, option);
  if (host === undefined && options.url !== undefined) {
    throw new ConfigurationError(`${option}.url names no host`);
  }
  const at = { host: host ?? '127.0.0.1', port: agreed('port', said.port, port, option) };
  if (options.url === undefined) at.port ??= 6379;
  else if (at.port !== undefined) portOf(at.port, `${option}.url:`);
  const tls = said.secure || given.tls ? tlsFor(at.host, given.tls) : undefined;
  return defined({ ...at, ...merged, tls });
}

/** A certificate is for a name; an address is not asked for by one. */
function tlsFor(host: string, given: RedisOptions['tls']): RedisOptions['tls'] {
  return { ...(isIP(host) === 0 && { servername: host }), ...given };
}

/** What one of them says, or both; the values of secrets are not told. */
function agreed<Value>(
  name: 'port' | 'db' | 'username' | 'password',
  inUrl: Value | undefined,
  given: Value | undefined,
  option: string,
): Value | undefined {
  if (inUrl === undefined || given === undefined || inUrl === given) return given ?? inUrl;
  return contradict(name, option, name === 'port' || name === 'db' ? `: ${inUrl} and ${given}` : '');
}

function contradict(name: string, option: string, told = ''): never {
  throw new ConfigurationError(`${option}: the url and "${name}" contradict each other${told}`);
}

function hostOf(host: unknown, option: string): string {
  if (typeof host !== 'string' || host === '') throw new ConfigurationError(`${option}.host is not a name`);
  if (/[\s/@]/.test(host) || (host.includes(':') && isIP(host) === 0)) {
    throw new ConfigurationError(`${option}.host is not a name or an address alone; a URL is given as "url"`);
  }
  return host;
}

/** A number, or its digits, as an environment has them. */
function portOf(port: unknown, option: string): number {
  const number = digits(port);
  if (number >= 1 && number <= 65_535) return number;
  throw new ConfigurationError(
    `${option}${option.endsWith(':') ? ' the port' : '.port'} is not a port number`,
  );
}

function digits(value: unknown): number {
  if (typeof value === 'string' && /^\d{1,5}$/.test(value)) return Number(value);
  return typeof value === 'number' && Number.isInteger(value) ? value : Number.NaN;
}

function defined(options: RedisOptions): RedisOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** What is common to every kind of endpoint: who logs in, over what, to which database. */
export function credentials(options: RedisAddress, option: string): RedisOptions {
  const { db, username, password, tls } = options;
  if (db !== undefined && !(digits(db) >= 0)) {
    throw new ConfigurationError(`${option}.db is not a database number`);
  }
  return defined({
    db: db === undefined ? undefined : digits(db),
    username,
    password: typeof password === 'function' ? undefined : password,
    tls: tls === true ? {} : tls || undefined,
  });
}
