import { ConfigurationError } from '../errors/bus.errors.js';
import type { DiscoMessageContext } from './message-context.js';

/** Handles one attempt. Returning, or a promise that resolves, means handled; throwing means failed. */
export type Handler = (context: DiscoMessageContext) => unknown;

/**
 * Wraps a handler in another one. `next` may be called any number of times (a retry does), or not at all (a duplicate
 * does not). Built once per subscription, so what it prepares outside the inner function is prepared once.
 */
export type Middleware = (next: Handler) => Handler;

/** `handler` within all of `middleware`, the first outermost. Throws ConfigurationError for a middleware that makes no handler. */
export function compose(middleware: readonly Middleware[], handler: Handler): Handler {
  return middleware.reduceRight(wrapped, handler);
}

function wrapped(next: Handler, wrap: Middleware): Handler {
  let handler: unknown;
  try {
    handler = wrap(next);
  } catch (cause) {
    throw new ConfigurationError(`${nameOf(wrap)} threw when it was given its handler`, { cause });
  }
  if (typeof handler === 'function') return handler as Handler;
  throw new ConfigurationError(`${nameOf(wrap)} made no handler, but a value of type ${typeof handler}`);
}

function nameOf({ name }: Middleware): string {
  return name === '' ? 'A middleware' : `The middleware "${name}"`;
}

/** Whether a handler's result must be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
