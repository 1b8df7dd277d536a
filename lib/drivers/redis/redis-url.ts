import type { RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../errors/bus.errors.js';

/** The schemes that are spoken: plain and over TLS. */
const schemes = new Set(['redis:', 'rediss:']);

/**
 * The connection options that a `redis://` or `rediss://` URL states. Throws {@link ConfigurationError}, which never
 * quotes the URL, as it may hold a password.
 */
export function parseRedisUrl(text: string, option: string): RedisOptions {
  if (text.startsWith('/')) return { path: text };
  const url = parsed(text, option);
  const options: RedisOptions = { host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1' };
  if (url.port !== '') options.port = Number(url.port);
  if (url.username !== '') options.username = decoded(url.username, option);
  if (url.password !== '') options.password = decoded(url.password, option);
  if (url.protocol === 'rediss:') options.tls = { servername: options.host };
  const database = url.pathname.slice(1) || url.searchParams.get('db');
  if (database) options.db = wholeNumber(database, `${option}: the database`);
  const family = url.searchParams.get('family');
  if (family) options.family = wholeNumber(family, `${option}: the address family`);
  refuseUnknown(url, option);
  return options;
}

function parsed(text: string, option: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // The error of the URL class quotes its input, so it is not kept as the cause.
  }
  if (url === undefined || !schemes.has(url.protocol)) {
    throw new ConfigurationError(`${option} is not a redis:// or rediss:// URL`);
  }
  return url;
}

function decoded(text: string, option: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigurationError(`${option} has credentials that are not percent-encoded`);
  }
}

function wholeNumber(text: string, what: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new ConfigurationError(`${what} is not a whole number`);
  return Number(text);
}

function refuseUnknown(url: URL, option: string): void {
  for (const key of url.searchParams.keys()) {
    if (key !== 'db' && key !== 'family') {
      throw new ConfigurationError(`${option} has an unknown parameter; only "db" and "family" are read`);
    }
  }
}
