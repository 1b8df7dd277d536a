import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aNumber, type OptionKinds } from '../errors/option-kinds.js';
import { isThenable, type Middleware } from './middleware.js';

/** What {@link deduplicate} remembers. */
export interface DeduplicateOptions {
  /** How many ids of handled messages are remembered; the oldest are forgotten first. @default 10000 */
  size?: number;
}

const deduplicateKinds: OptionKinds<DeduplicateOptions> = { size: aNumber };

/**
 * Skips a message whose id this process has handled already, or is handling now: a redelivery after a lost
 * acknowledgement, or a message that two overlapping patterns matched. A failed attempt is not remembered. Process-local
 * and bounded: a help, not a promise of exactly-once handling.
 */
export function deduplicate(options: DeduplicateOptions = {}): Middleware {
  assertOptions('deduplicate', options, deduplicateKinds);
  const { size = 10_000 } = options;
  if (!Number.isInteger(size) || size < 1)
    throw new ConfigurationError('deduplicate: size must be a whole number above 0');
  const seen = new Set<string>();
  const remember = (id: string) => {
    seen.add(id);
    if (seen.size > size) seen.delete(seen.values().next().value as string);
  };
  return (next) => (context) => {
    if (seen.has(context.id)) return undefined;
    remember(context.id);
    const forget = (error: unknown): never => {
      seen.delete(context.id);
      throw error;
    };
    try {
      const result = next(context);
      return isThenable(result) ? result.then(undefined, forget) : result;
    } catch (error) {
      return forget(error);
    }
  };
}
