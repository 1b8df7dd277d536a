/** Resolves after so many milliseconds: for a load that is spread over time, or for time in which nothing should happen. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when `holds` does; looks every 10 ms, and rejects with `what` after `timeoutMs`. */
export async function until(what: string, holds: () => unknown, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(10);
  }
}

/** Milliseconds on a clock that all processes of this computer share. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
