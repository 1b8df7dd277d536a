/** An application had not settled when the time of `DiscoTest.settled` was over. */
export class NotSettledError extends Error {
  override readonly name = 'NotSettledError';

  constructor(
    timeoutMs: number,
    /** What it still had to do, in words. Empty where it was busy to the end. */
    readonly pending: readonly string[],
  ) {
    const what = pending.length === 0 ? 'it did something in each moment' : pending.join('; ');
    super(`The application has not settled within ${timeoutMs} ms: ${what}`);
  }
}
