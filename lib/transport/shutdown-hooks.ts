import { type Clock, type ClockTimer, systemClock } from '../timing/clock.js';

/** Applications call `enableShutdownHooks()` before or after they listen; by then they have. */
const SETTLED_MS = 2_000;

/** The process has one set of signal listeners, and is told of it once. */
let told = false;

/**
 * Warns, once in a process and 2 s after it was asked, where nothing listens to SIGTERM: the process then ends with its
 * messages in hand. Nest offers no look at its shutdown hooks, so what counts is whether the process has any listener; one that
 * somebody else set hides that they are missing. Not where `NODE_ENV` is `'test'`. The function that it returns calls it off.
 */
export function expectShutdownHooks(warn: (text: string) => void, clock: Clock = systemClock): () => void {
  if (told || process.env.NODE_ENV === 'test') return () => {};
  const timer: ClockTimer = clock.setTimeout(() => {
    if (told || process.listenerCount('SIGTERM') > 0) return;
    told = true;
    warn(
      'Nothing listens to SIGTERM: the process would end with messages in hand. Call app.enableShutdownHooks(), so that handlers finish first',
    );
  }, SETTLED_MS);
  (timer as NodeJS.Timeout).unref?.();
  return () => clock.clearTimeout(timer);
}
