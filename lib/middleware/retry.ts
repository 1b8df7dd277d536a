import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { type Backoff, backoffDelay } from '../timing/backoff.js';
import { type Clock, sleep, systemClock } from '../timing/clock.js';
import type { DiscoMessageContext } from './message-context.js';
import type { Handler, Middleware } from './middleware.js';

/** How often and how far apart. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly backoff: Backoff;
}

/**
 * Repeats a failed attempt within this process, up to `attempts` in all. Nothing is kept over a restart, and a waiting
 * message holds its place among the concurrent ones. An UnrecoverableError, or an aborted signal, ends it at once.
 */
export function retry({ attempts, backoff }: RetryPolicy, clock: Clock = systemClock): Middleware {
  return (next) => (context) => repeat(next, context, attempts, backoff, clock);
}

async function repeat(
  next: Handler,
  context: DiscoMessageContext,
  attempts: number,
  backoff: Backoff,
  clock: Clock,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await next(context);
    } catch (error) {
      if (attempt >= attempts || isDiscoBusError(error, 'DISCO_UNRECOVERABLE') || context.signal.aborted)
        throw error;
      await sleep(backoffDelay(backoff, attempt), clock, context.signal);
    }
  }
}
