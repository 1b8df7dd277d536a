import { ConfigurationError } from '../errors/bus.errors.js';

/** A length of time: milliseconds, or a number with a unit, as `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** The longest delay that Node's timers take, 2³¹−1 ms (24.8 days); a longer one would fire at once. */
export const MAX_DURATION_MS = 2 ** 31 - 1;

const unitsMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The least and the most a duration may be. */
export interface DurationBounds {
  /** @default 0 */
  minMs?: number;
  /** @default MAX_DURATION_MS */
  maxMs?: number;
}

/**
 * The whole milliseconds of `duration`. Throws {@link ConfigurationError}, naming `option`, for anything that is no
 * duration or lies outside the bounds.
 */
export function toMilliseconds(duration: unknown, option: string, bounds: DurationBounds = {}): number {
  const { minMs = 0, maxMs = MAX_DURATION_MS } = bounds;
  const ms = Math.round(parse(duration));
  if (!(ms >= minMs && ms <= maxMs)) {
    const told =
      typeof duration === 'number' || typeof duration === 'string'
        ? String(duration).slice(0, 40)
        : typeof duration;
    throw new ConfigurationError(
      `${option}: ${told} is not a duration from ${minMs} to ${maxMs} ms; use milliseconds or '250ms', '30s', '5m', '2h'`,
    );
  }
  return ms;
}

function parse(duration: unknown): number {
  if (typeof duration === 'number') return duration;
  if (typeof duration !== 'string' || duration.length > 40) return Number.NaN;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
  return match ? Number(match[1]) * unitsMs[match[2]] : Number.NaN;
}
