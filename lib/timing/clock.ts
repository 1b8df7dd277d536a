/** A timer of a {@link Clock}. */
export type ClockTimer = unknown;

/** The source of time. Everything that waits takes one, so that tests can hand in a manual clock. */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. May jump. */
  now(): number;
  /** Milliseconds on a clock that never jumps; only differences mean anything. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs` (at most 2³¹−1). */
  setTimeout(callback: () => void, delayMs: number): ClockTimer;
  /** Cancels a timer; does nothing for one that has fired or is undefined. */
  clearTimeout(timer: ClockTimer | undefined): void;
}

/** The computer's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** The same timer, which keeps no process alive any more; those of a manual clock never do. */
export function unref<Timer extends ClockTimer | undefined>(timer: Timer): Timer {
  (timer as { unref?: () => void } | undefined)?.unref?.();
  return timer;
}

/** Resolves after `delayMs` on `clock`, or as soon as `signal` aborts; never rejects. */
export function sleep(delayMs: number, clock: Clock = systemClock, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimeout(done, delayMs);
    signal?.addEventListener('abort', done, { once: true });
  });
}
