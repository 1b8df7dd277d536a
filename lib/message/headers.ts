import { MessageInvalidError } from '../errors/message.errors.js';

/** A message's headers: lower-case names, string values. Objects of this type have no prototype. */
export type Headers = Readonly<Record<string, string>>;

const nameGrammar = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/** Whether `name` is a lower-case header name. Excludes `__proto__` and its kind. */
export function isHeaderName(name: string): boolean {
  return nameGrammar.test(name);
}

/** Names that the frame itself uses; a caller's header may not take them. */
export const reservedHeaderNames: ReadonlySet<string> = new Set(['id', 'time']);

/** The header that carries a message's ordering key. */
export const KEY_HEADER = 'x-key';

/** No headers at all; shared and frozen. */
export const noHeaders: Headers = Object.freeze(Object.create(null) as Record<string, string>);

/**
 * A checked copy of what a caller gave as headers: names are lower-cased and must be letters, digits, `.`, `_`, `-`,
 * values must be strings. Throws {@link MessageInvalidError}.
 */
export function toHeaders(given: Readonly<Record<string, unknown>> | undefined): Headers {
  if (given === undefined) return noHeaders;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new MessageInvalidError('headers must be an object of strings');
  }
  const headers = Object.create(null) as Record<string, string>;
  for (const [givenName, value] of Object.entries(given)) {
    const name = givenName.toLowerCase();
    if (!isHeaderName(name))
      throw new MessageInvalidError('A header name may hold letters, digits, ".", "_" and "-" only');
    if (reservedHeaderNames.has(name)) throw new MessageInvalidError(`The header name "${name}" is reserved`);
    if (typeof value !== 'string') throw new MessageInvalidError(`The header "${name}" must be a string`);
    headers[name] = value;
  }
  return headers;
}
