import { HandlerTimeoutError } from '../errors/handler.errors.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { DeadlineQueue } from '../timing/deadline-queue.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import type { DiscoMessageContext } from './message-context.js';
import { isThenable, type Middleware } from './middleware.js';

/**
 * Fails an attempt with HandlerTimeoutError once it has taken longer than `duration`, and aborts its `signal` with the
 * same error. The handler itself cannot be stopped: what it does afterwards is ignored. One timer serves all attempts.
 */
export function timeout(duration: Duration, clock: Clock = systemClock): Middleware {
  const timeoutMs = toMilliseconds(duration, 'timeout', { minMs: 1 });
  const deadlines = new DeadlineQueue(timeoutMs, clock);
  return (next) => (context) => {
    const result = next(context);
    return isThenable(result) ? race(result, context, deadlines) : result;
  };
}

function race(
  result: PromiseLike<unknown>,
  context: DiscoMessageContext,
  deadlines: DeadlineQueue,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const deadline = deadlines.add(() => {
      const error = new HandlerTimeoutError(context.topic, deadlines.timeoutMs);
      context.abort(error);
      reject(error);
    });
    result.then(
      (value) => {
        deadline.cancel();
        resolve(value);
      },
      (error: unknown) => {
        deadline.cancel();
        reject(error);
      },
    );
  });
}
