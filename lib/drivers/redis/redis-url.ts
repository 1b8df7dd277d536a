import { ConfigurationError } from '../../errors/bus.errors.js';

/** The schemes that are spoken: plain and over TLS. */
const schemes = /^rediss?:\/\//i;

/** What a URL says; what it does not say is absent. */
export interface RedisUrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly family?: number;
  /** `rediss://` */
  readonly secure?: boolean;
  /** Of a socket. */
  readonly path?: string;
}

/**
 * What a `redis://` or `rediss://` URL, or the path of a socket, states. Throws {@link ConfigurationError}, which never
 * quotes the URL, as it may hold a password.
 */
export function parseRedisUrl(text: string, option: string): RedisUrlParts {
  if (text === '') throw new ConfigurationError(`${option} is empty`);
  if (text.startsWith('/')) return { path: text };
  const url = parsed(text, option);
  refuseUnknown(url, option);
  const family = url.searchParams.get('family');
  return {
    host: hostOf(url, option),
    port: url.port === '' ? undefined : Number(url.port),
    username: decoded(url.username, option),
    password: decoded(url.password, option),
    db: databaseOf(url, option),
    family: family === null ? undefined : familyOf(family, option),
    secure: url.protocol === 'rediss:',
  };
}

function parsed(text: string, option: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // The error of the URL class quotes its input, so it is not kept as the cause.
  }
  if (url === undefined || !schemes.test(text.trim())) {
    throw new ConfigurationError(`${option} is not a redis:// or rediss:// URL`);
  }
  return url;
}

function hostOf(url: URL, option: string): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === 'undefined' || host === 'null') {
    throw new ConfigurationError(
      `${option} names the host "${host}", which a value that was absent has become`,
    );
  }
  return host === '' ? undefined : host;
}

function databaseOf(url: URL, option: string): number | undefined {
  const inPath = url.pathname.slice(1);
  const inQuery = url.searchParams.get('db') ?? '';
  if (inPath !== '' && inQuery !== '' && inPath !== inQuery) {
    throw new ConfigurationError(`${option} names two databases`);
  }
  const database = inPath || inQuery;
  return database === '' ? undefined : wholeNumber(database, `${option}: the database`);
}

function familyOf(text: string, option: string): number {
  if (['0', '4', '6'].includes(text)) return Number(text);
  throw new ConfigurationError(`${option}: the address family is not 0, 4 or 6`);
}

function decoded(text: string, option: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw new ConfigurationError(`${option} has credentials that are not percent-encoded`);
  }
}

function wholeNumber(text: string, what: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new ConfigurationError(`${what} is not a whole number`);
  return Number(text);
}

function refuseUnknown(url: URL, option: string): void {
  if (url.hash !== '')
    throw new ConfigurationError(`${option} has a "#"; within credentials it is written %23`);
  const keys = [...url.searchParams.keys()];
  if (keys.some((key) => key !== 'db' && key !== 'family')) {
    throw new ConfigurationError(`${option} has an unknown parameter; only "db" and "family" are read`);
  }
  if (new Set(keys).size < keys.length) throw new ConfigurationError(`${option} has a parameter twice`);
}
