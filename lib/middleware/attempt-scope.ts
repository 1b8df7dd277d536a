import { AsyncLocalStorage } from 'node:async_hooks';
import type { DiscoMessageContext } from './message-context.js';
import type { Middleware } from './middleware.js';

const attempts = new AsyncLocalStorage<DiscoMessageContext>();
let wanted = false;

/** Attempts that begin from now on are found by {@link currentAttempt}; until then that costs nothing. */
export function keepAttempts(): void {
  wanted = true;
}

/** The attempt in which the caller runs, however deep; undefined outside of one. */
export function currentAttempt(): DiscoMessageContext | undefined {
  return attempts.getStore();
}

/** Makes the attempt the current one of all that the handler calls. */
export const inAttempt: Middleware = (next) => (context) =>
  wanted ? attempts.run(context, next, context) : next(context);
