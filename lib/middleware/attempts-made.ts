const made = new WeakMap<object, number>();

/** Notes that an error, or what a handler has asked of its context, is the outcome of so many attempts. */
export function noteAttempts(outcome: unknown, attempts: number): void {
  if (typeof outcome === 'object' && outcome !== null) made.set(outcome, attempts);
}

/** How many attempts were made within one delivery; 1 where none were noted. */
export function attemptsMade(outcome: unknown): number {
  return (typeof outcome === 'object' && outcome !== null && made.get(outcome)) || 1;
}
