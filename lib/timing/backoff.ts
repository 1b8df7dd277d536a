import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aBoolean, aDuration, type OptionKinds, oneOf } from '../errors/option-kinds.js';
import { chance } from './chance.js';
import { type Duration, toMilliseconds } from './duration.js';

/** How long to wait before each further attempt. */
export interface BackoffOptions {
  /** `fixed`: always `delay`. `exponential`: doubles with every attempt. @default 'exponential' */
  type?: 'fixed' | 'exponential';
  /** The wait before the second attempt; with a shorter `max`, that. @default '200ms' */
  delay?: Duration;
  /** The longest wait, not below `delay`; with a longer `delay`, that. @default '30s' */
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

/** What holds where the options name neither the one nor the other. */
type UsualWaits = Required<Pick<BackoffOptions, 'delay' | 'max'>>;

const usually: UsualWaits = { delay: '200ms', max: '30s' };

/**
 * Checks and completes `options`; throws {@link ConfigurationError} naming `option`. What is given holds: of `usual`, a
 * longest wait gives way to a longer `delay`, and a delay to a shorter `max`.
 */
export function resolveBackoff(
  options: BackoffOptions = {},
  option = 'backoff',
  usual: UsualWaits = usually,
): Backoff {
  assertOptions(option, options, backoffKinds);
  const { type = 'exponential', delay = usual.delay, max = usual.max, jitter = true } = options;
  if (type !== 'fixed' && type !== 'exponential') {
    throw new ConfigurationError(`${option}.type must be 'fixed' or 'exponential'`);
  }
  const delayMs = toMilliseconds(delay, `${option}.delay`);
  const maxMs = toMilliseconds(max, `${option}.max`);
  if (options.delay !== undefined && options.max !== undefined && delayMs > maxMs) {
    throw new ConfigurationError(
      `${option}.delay (${delayMs} ms) is longer than ${option}.max (${maxMs} ms): every wait would be cut to the latter`,
    );
  }
  return {
    type,
    delayMs: options.delay === undefined ? Math.min(delayMs, maxMs) : delayMs,
    maxMs: options.max === undefined ? Math.max(delayMs, maxMs) : maxMs,
    jitter,
  };
}

/** The wait in whole milliseconds after failed attempt number `attempt` (the first is 1). Never more than `maxMs`. */
export function backoffDelay(backoff: Backoff, attempt: number, random: () => number = chance): number {
  const doublings = backoff.type === 'fixed' ? 0 : Math.min(attempt - 1, 30);
  const delay = Math.min(backoff.delayMs * 2 ** doublings, backoff.maxMs);
  return Math.round(backoff.jitter ? delay * (0.5 + random() / 2) : delay);
}
