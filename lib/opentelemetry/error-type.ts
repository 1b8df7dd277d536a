import { isError } from '../errors/is-error.js';
import { OTHER_ERROR } from './conventions.js';

/** The `error.type` of what an operation failed with: its code, or its name. Total, whatever an error holds, and short. */
export function errorType(error: unknown): string {
  try {
    const { code, name } = Object(error) as { code?: unknown; name?: unknown };
    for (const text of [code, name]) if (typeof text === 'string' && fits.test(text)) return text;
  } catch {
    // An error that cannot be read has no name.
  }
  return OTHER_ERROR;
}

/** A word: what else stands in a field of an error may be anything, and does not belong into metrics. */
const fits = /^[A-Za-z_$][\w$.:-]{0,99}$/;

/** The error as an exception that can be recorded; undefined for what is none. */
export function exceptionOf(error: unknown): Error | undefined {
  return isError(error) ? error : undefined;
}
