import { HandlerPanicError } from '../errors/handler.errors.js';
import { isError } from '../errors/is-error.js';
import { isThenable, type Middleware } from './middleware.js';

/**
 * Makes of whatever a handler throws an Error that can be read: a value that is none, or whose own properties throw when
 * they are looked at, becomes the `cause` of a HandlerPanicError. With it outermost, nothing a handler throws or rejects with can end the process.
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
  throw isReadable(thrown) ? thrown : new HandlerPanicError(thrown);
}

/** Whether what decides on the message, and what tells of it, can read the error. */
function isReadable(thrown: unknown): boolean {
  try {
    if (!isError(thrown)) return false;
    const { name, message, stack } = thrown;
    const told: unknown[] = [name, message, stack ?? '', Reflect.get(thrown, 'code')];
    return told.slice(0, 3).every((each) => typeof each === 'string');
  } catch {
    return false;
  }
}
