import { ConfigurationError } from '../errors/bus.errors.js';
import { aString, type OptionKinds } from '../errors/option-kinds.js';
import type { AsyncApiServer } from './document.js';

/** A server of the document. */
export interface AsyncApiServerOptions {
  /** As `redis://user:password@host:6379/0`: host, protocol and path are told; user, password and query never are. */
  url: string;
  description?: string;
}

/** What each of {@link AsyncApiServerOptions} may be. */
export const serverKinds: OptionKinds<AsyncApiServerOptions> = { url: aString, description: aString };

/** Throws ConfigurationError, without the url, for one that names no host. */
export function serverOf(name: string, { url, description }: AsyncApiServerOptions): AsyncApiServer {
  if (!/^[\w-]+$/.test(name))
    throw new ConfigurationError(`servers: a name may hold letters, digits, "_" and "-", not "${name}"`);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.host === '')
    throw new ConfigurationError(`servers.${name}.url must be a url with a host, as redis://localhost:6379`);
  const { host, protocol, pathname, username, password } = parsed;
  return {
    host,
    protocol: protocol.slice(0, -1),
    ...(pathname !== '' && pathname !== '/' && { pathname }),
    ...(description !== undefined && { description }),
    ...((username !== '' || password !== '') && { security: [{ type: 'userPassword' as const }] }),
  };
}
