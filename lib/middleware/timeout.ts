import { HandlerTimeoutError } from '../errors/handler.errors.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { Deadlined, DeadlineQueue } from '../timing/deadline-queue.js';
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
    return isThenable(result) ? new TimedAttempt(context, deadlines).race(result) : result;
  };
}

class TimedAttempt extends Deadlined {
  private reject!: (error: unknown) => void;

  constructor(
    private readonly context: DiscoMessageContext,
    private readonly deadlines: DeadlineQueue,
  ) {
    super();
  }

  race(result: PromiseLike<unknown>): Promise<unknown> {
    this.deadlines.track(this);
    return new Promise((resolve, reject) => {
      this.reject = reject;
      result.then(
        (value) => {
          this.deadlines.delete(this);
          resolve(value);
        },
        (error: unknown) => {
          this.deadlines.delete(this);
          reject(error);
        },
      );
    });
  }

  expired(): void {
    const error = new HandlerTimeoutError(this.context.topic, this.deadlines.timeoutMs);
    this.context.abort(error);
    this.reject(error);
  }
}
