import type { DiscoMessageContext } from './message-context.js';

/** Handles one attempt. Returning, or a promise that resolves, means handled; throwing means failed. */
export type Handler = (context: DiscoMessageContext) => unknown;

/**
 * Wraps a handler in another one. `next` may be called any number of times (a retry does), or not at all (a duplicate
 * does not). Built once per subscription, so what it prepares outside the inner function is prepared once.
 */
export type Middleware = (next: Handler) => Handler;

/** `handler` within all of `middleware`, the first outermost. */
export function compose(middleware: readonly Middleware[], handler: Handler): Handler {
  return middleware.reduceRight((next, wrap) => wrap(next), handler);
}

/** Whether a handler's result must be waited for. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}
