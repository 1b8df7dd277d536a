import { types } from 'node:util';

/** Whether `value` is an Error, of this realm or of another one (a vm context, a test environment). */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}
