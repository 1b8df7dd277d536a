import { types } from 'node:util';
import { NotConnectedError } from '../../errors/bus.errors.js';
import { type DiscoBusError, isDiscoBusError } from '../../errors/disco-bus-error.js';
import { DriverError } from '../../errors/driver.errors.js';

/** Server answers that a repetition will not change: somebody has to change the set-up first. */
const lastingRefusals = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM', 'WRONGTYPE', 'NOPROTO', 'DENIED']);

/** How servers say inside a script that the user lacks a right. */
const refusedInScript = /^ERR (ACL failure in script|The user executing the script can't)/;

/** ioredis tells these only by their text; all mean that the connection went or was never there. */
const connectionLost =
  /^(Connection is closed|Stream isn't writeable|Command aborted due to connection|connect ETIMEDOUT|Socket timeout|Cluster isn't ready|Cluster is |None of startup nodes|Failed to refresh slots cache|All sentinels are|Reached the max retries)/;

const connectionCodes =
  /^(ECONN|ENOTFOUND|EAI_|EPIPE|EHOST|ENET|ETIMEDOUT|EADDR|ENOENT|EACCES|CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/;

/**
 * The error of this package for whatever ioredis or Redis threw. The `cause` is a copy without the command and its
 * arguments, which hold payloads and, for AUTH, the password. A lost or missing connection is a NotConnectedError, what
 * the server refused a DriverError. Errors of this package come back as they are.
 */
export function toDriverError(error: unknown): DiscoBusError {
  if (isDiscoBusError(error)) return error;
  const cause = safeCopy(error);
  if (isConnectionError(error))
    return new NotConnectedError(`No connection to Redis: ${cause.message}`, { cause });
  const retryable = !lastingRefusals.has(replyCode(error) ?? '');
  return new DriverError(`Redis refused a command: ${cause.message}`, { cause, retryable });
}

/** Whether the server itself answered with an error: the command was received and not carried out. */
export function isRefusal(error: unknown): boolean {
  return isError(error) && error.name === 'ReplyError';
}

/** The first word of a server's error, as `'NOPERM'`; undefined for other errors. */
export function replyCode(error: unknown): string | undefined {
  if (!isRefusal(error)) return undefined;
  const { message } = error as Error;
  return refusedInScript.test(message) ? 'NOPERM' : /^[A-Z]+(?= |$)/.exec(message)?.[0];
}

/** Whether trying again is useless until somebody changes the set-up: wrong password, missing right. */
export function isLastingRefusal(error: unknown): boolean {
  return lastingRefusals.has(replyCode(error) ?? '');
}

/** Whether ioredis rejected the command without having written a byte of it. */
export function isUnsent(error: unknown): boolean {
  return isError(error) && error.message.startsWith("Stream isn't writeable");
}

function isConnectionError(error: unknown): boolean {
  if (!isError(error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return connectionLost.test(error.message) || (typeof code === 'string' && connectionCodes.test(code));
}

/** Also true for errors of another realm, as Node's own are in a sandbox. */
function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error);
}

/** `error` by its name, code and message alone, without credentials of URLs: what else it holds may be a secret. */
export function safeCopy(error: unknown): Error {
  if (!isError(error)) return new Error('unknown');
  const copy = new Error(safeText(error.message));
  copy.name = error.name;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' ? Object.assign(copy, { code }) : copy;
}

/** Redis quotes the arguments of commands it does not know, and some errors hold URLs. */
function safeText(text: string): string {
  return text
    .replace(/,? with args beginning with:.*$/s, '')
    .replace(/\/\/[^/\s]*@/g, '//')
    .slice(0, 300);
}
