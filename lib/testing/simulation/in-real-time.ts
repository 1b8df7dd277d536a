// Taken once, so that fake timers of a test runner do not stop it too.
const { clearTimeout, setTimeout } = globalThis;
const LIMIT_MS = 10_000;

/**
 * Awaits what must not need the virtual clock, which stands meanwhile. Rejects where it has not ended within 10 s of real time, so that
 * nothing hangs.
 */
export async function inRealTime<T>(work: () => T | Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const hint = 'the virtual clock stands meanwhile, so it must not wait for it';
      reject(new Error(`${what}, and has not ended within ${LIMIT_MS} ms of real time: ${hint}`));
    }, LIMIT_MS);
  });
  try {
    return await Promise.race([(async () => work())(), late]);
  } finally {
    clearTimeout(timer);
  }
}
