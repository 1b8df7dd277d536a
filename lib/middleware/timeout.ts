import { HandlerTimeoutError, isUnrecoverable } from '../errors/handler.errors.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { Deadlined, DeadlineQueue } from '../timing/deadline-queue.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';
import type { DiscoMessageContext } from './message-context.js';
import { isThenable, type Middleware } from './middleware.js';

/** What {@link timeout} tells of attempts that take too long. */
export interface TimeoutListener {
  /** An attempt has taken longer than `timeoutMs`; it is waited for `graceMs` more at most. */
  exceeded?(context: DiscoMessageContext, timeoutMs: number, graceMs: number): void;
  /** An attempt ended well after all, so much too late. */
  endedLate?(context: DiscoMessageContext, lateMs: number): void;
  /** An attempt still runs and is not waited for any more: the next one may run beside it. */
  outlasted?(context: DiscoMessageContext, ranMs: number): void;
}

/** An attempt that exceeds its time is waited for ten times as long, but neither less nor more than this. */
const GRACE_FACTOR = 10;
const LEAST_GRACE_MS = 5_000;
const MOST_GRACE_MS = 300_000;

/** How long an attempt that has exceeded `timeoutMs` is still waited for. Milliseconds. */
export function graceAfter(timeoutMs: number): number {
  return Math.min(Math.max(GRACE_FACTOR * timeoutMs, LEAST_GRACE_MS), MOST_GRACE_MS);
}

/**
 * Once an attempt has taken longer than `duration`, its `signal` aborts with a HandlerTimeoutError. A handler cannot be
 * stopped, so its message is not tried again beside it: the attempt ends when the handler does, at the latest after ten
 * times `duration` more (5 s to 5 min). Then it has failed with that error, or, if the handler returned after all, it has
 * succeeded: a handler that gives up because of its signal has to throw. One timer serves all attempts.
 */
export function timeout(
  duration: Duration,
  clock: Clock = systemClock,
  listener: TimeoutListener = {},
): Middleware {
  const timeoutMs = toMilliseconds(duration, 'timeout', { minMs: 1 });
  const limits: Limits = {
    deadlines: new DeadlineQueue(timeoutMs, clock),
    graces: new DeadlineQueue(graceAfter(timeoutMs), clock),
    clock,
    listener,
  };
  return (next) => (context) => {
    const result = next(context);
    return isThenable(result) ? new TimedAttempt(context, limits).race(result) : result;
  };
}

interface Limits {
  readonly deadlines: DeadlineQueue;
  readonly graces: DeadlineQueue;
  readonly clock: Clock;
  readonly listener: TimeoutListener;
}

class TimedAttempt extends Deadlined {
  private reject!: (error: unknown) => void;
  /** Set once its time is up. */
  private failure: HandlerTimeoutError | undefined;

  constructor(
    private readonly context: DiscoMessageContext,
    private readonly limits: Limits,
  ) {
    super();
  }

  race(result: PromiseLike<unknown>): Promise<unknown> {
    this.limits.deadlines.track(this);
    return new Promise((resolve, reject) => {
      this.reject = reject;
      result.then(
        (value) => {
          this.ended();
          resolve(value);
        },
        (error: unknown) => {
          this.takeOff();
          reject(this.failureBy(error));
        },
      );
    });
  }

  expired(): void {
    const { deadlines, graces, listener } = this.limits;
    const { timeoutMs } = deadlines;
    if (this.failure !== undefined) {
      this.reject(this.failure);
      listener.outlasted?.(this.context, timeoutMs + graces.timeoutMs);
      this.failure = undefined;
      return;
    }
    this.failure = new HandlerTimeoutError(this.context.topic, timeoutMs);
    graces.track(this);
    listener.exceeded?.(this.context, timeoutMs, graces.timeoutMs);
    this.context.abort(this.failure);
  }

  /** What it fails with when the handler throws `error`: in time, or because its time was over. */
  private failureBy(error: unknown): unknown {
    const { failure } = this;
    if (failure === undefined || isUnrecoverable(error)) return error;
    if (error !== failure) failure.cause ??= error;
    return failure;
  }

  private ended(): void {
    const { graces, clock, listener } = this.limits;
    if (this.failure !== undefined) {
      const lateMs = graces.timeoutMs - (this.dueMs - clock.monotonic());
      listener.endedLate?.(this.context, Math.round(lateMs));
    }
    this.takeOff();
  }
}
