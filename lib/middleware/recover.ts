import { HandlerPanicError } from '../errors/handler.errors.js';
import { isError } from '../errors/is-error.js';
import { isThenable, type Middleware } from './middleware.js';

/**
 * Makes of whatever a handler throws an Error: a value that is none becomes the `cause` of a HandlerPanicError. With it
 * outermost, nothing a handler throws or rejects with can end the process.
 */
export const recover: Middleware = (next) => (context) => {
  try {
    const result = next(context);
    return isThenable(result) ? result.then(undefined, rethrow) : result;
  } catch (thrown) {
    return rethrow(thrown);
  }
};

/** Whether an error looks like a mistake in the program rather than a failure of the world: a Go handler would have panicked. */
export function isPanic(error: unknown): boolean {
  return isError(error) && panics.has(error.name);
}

const panics: ReadonlySet<string> = new Set([
  'TypeError',
  'ReferenceError',
  'RangeError',
  'SyntaxError',
  'HandlerPanicError',
]);

function rethrow(thrown: unknown): never {
  throw isError(thrown) ? thrown : new HandlerPanicError(thrown);
}
