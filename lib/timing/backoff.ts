import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aBoolean, aDuration, type OptionKinds, oneOf } from '../errors/option-kinds.js';
import { chance } from './chance.js';
import { type Duration, toMilliseconds } from './duration.js';

/** How long to wait before each further attempt. */
export interface BackoffOptions {
  /** `fixed`: always `delay`. `exponential`: doubles with every attempt. @default 'exponential' */
  type?: 'fixed' | 'exponential';
  /** The wait before the second attempt. @default '200ms' */
  delay?: Duration;
  /** The longest wait. @default '30s' */
  max?: Duration;
  /** Equal jitter: a random wait between half the delay and the delay, so that failing processes do not march in step. @default true */
  jitter?: boolean;
}

/** What each of {@link BackoffOptions} may be. */
export const backoffKinds: OptionKinds<BackoffOptions> = {
  type: oneOf('fixed', 'exponential'),
  delay: aDuration,
  max: aDuration,
  jitter: aBoolean,
};

/** {@link BackoffOptions}, checked and complete. */
export interface Backoff {
  readonly type: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxMs: number;
  readonly jitter: boolean;
}

/** Checks and completes `options`; throws {@link ConfigurationError} naming `option`. */
export function resolveBackoff(options: BackoffOptions = {}, option = 'backoff'): Backoff {
  assertOptions(option, options, backoffKinds);
  const { type = 'exponential', delay = '200ms', max = '30s', jitter = true } = options;
  if (type !== 'fixed' && type !== 'exponential') {
    throw new ConfigurationError(`${option}.type must be 'fixed' or 'exponential'`);
  }
  return {
    type,
    delayMs: toMilliseconds(delay, `${option}.delay`),
    maxMs: toMilliseconds(max, `${option}.max`),
    jitter,
  };
}

/** The wait in whole milliseconds after failed attempt number `attempt` (the first is 1). Never more than `maxMs`. */
export function backoffDelay(backoff: Backoff, attempt: number, random: () => number = chance): number {
  const doublings = backoff.type === 'fixed' ? 0 : Math.min(attempt - 1, 30);
  const delay = Math.min(backoff.delayMs * 2 ** doublings, backoff.maxMs);
  return Math.round(backoff.jitter ? delay * (0.5 + random() / 2) : delay);
}
