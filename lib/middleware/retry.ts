import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { HandlerPanicError, isUnrecoverable } from '../errors/handler.errors.js';
import { isError } from '../errors/is-error.js';
import { aBoolean, aDuration, aNumber, type OptionKinds, oneOf, options } from '../errors/option-kinds.js';
import { type Backoff, backoffDelay } from '../timing/backoff.js';
import { type Clock, sleep, systemClock } from '../timing/clock.js';
import { toMilliseconds } from '../timing/duration.js';
import { AttemptContext } from './attempt-context.js';
import { noteAttempts } from './attempts-made.js';
import type { DiscoMessageContext } from './message-context.js';
import type { Handler, Middleware } from './middleware.js';

/** How often and how far apart. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly backoff: Backoff;
}

const policyKinds: OptionKinds<RetryPolicy> = {
  attempts: aNumber,
  backoff: options<Backoff>({
    type: oneOf('fixed', 'exponential'),
    delayMs: aDuration,
    maxMs: aDuration,
    jitter: aBoolean,
  }),
};

/**
 * Repeats a failed attempt within this process, up to `attempts` in all, and one whose handler asked for it. Each attempt
 * has its own number and signal. Nothing is kept over a restart, and a waiting message holds its place among the
 * concurrent ones. An UnrecoverableError, `terminate` or an aborted signal ends it at once.
 */
export function retry(policy: RetryPolicy, clock: Clock = systemClock): Middleware {
  assertPolicy(policy);
  return (next) => (context) => repeat(next, context, policy, clock);
}

function assertPolicy(policy: RetryPolicy): void {
  assertOptions('retry', policy, policyKinds);
  const { attempts, backoff } = policy ?? {};
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new ConfigurationError('retry.attempts must be a whole number above 0');
  }
  if (backoff === undefined) throw new ConfigurationError('retry.backoff is missing');
  const maxMs = toMilliseconds(backoff.maxMs, 'retry.backoff.maxMs');
  if (toMilliseconds(backoff.delayMs, 'retry.backoff.delayMs') > maxMs) {
    throw new ConfigurationError('retry.backoff.delayMs is longer than retry.backoff.maxMs');
  }
}

async function repeat(
  next: Handler,
  whole: DiscoMessageContext,
  policy: RetryPolicy,
  clock: Clock,
): Promise<unknown> {
  for (let made = 1; ; made++) {
    const context = new AttemptContext(whole, whole.attempt + made - 1);
    const last = made >= policy.attempts;
    let delayMs = backoffDelay(policy.backoff, made);
    try {
      const result = await next(context);
      const { request } = context;
      if (request === undefined) return result;
      noteAttempts(whole, made);
      if (request.type === 'terminate') return whole.terminate(request.reason);
      if (last) return whole.retry({ delay: request.delay });
      if (request.delay !== undefined) delayMs = toMilliseconds(request.delay, 'retry.delay');
    } catch (error) {
      if (last || isUnrecoverable(error) || whole.signal.aborted) {
        const failure = isError(error) ? error : new HandlerPanicError(error);
        noteAttempts(failure, made);
        throw failure;
      }
    }
    await sleep(delayMs, clock, whole.signal);
  }
}
