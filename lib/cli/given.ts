import { toMilliseconds } from '../timing/duration.js';
import { usageError } from './exit-codes.js';

/** What was given on the command line: words and flags, which are checked where they are asked for. */
export class Given {
  constructor(private readonly args: Readonly<Record<string, unknown>>) {}

  /** A word that is there, as the arguments of the command say that it has to be. */
  word(name: string): string {
    return this.text(name) ?? '';
  }

  text(name: string): string | undefined {
    const value = this.args[name];
    if (value === '') throw usageError(`${name} is empty`);
    return typeof value === 'string' ? value : undefined;
  }

  has(name: string): boolean {
    return this.args[name] === true;
  }

  /** One of several words. */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    const found = choices.find((each) => each === text);
    if (text !== undefined && found === undefined)
      throw usageError(`${name} must be ${choices.join(' or ')}, not "${text}"`);
    return found;
  }

  whole(name: string, least = 0, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw usageError(`${name} must be a whole number ${range}, not "${text}"`);
  }

  durationMs(name: string, minMs = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    try {
      return toMilliseconds(/^\d+$/.test(text) ? Number(text) : text, `--${name}`, { minMs });
    } catch (error) {
      throw usageError((error as Error).message);
    }
  }

  /** A moment in ISO 8601, or in ms since the epoch. */
  time(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const at = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text);
    if (Number.isInteger(at) && at >= 0) return at;
    throw usageError(`--${name} must be a time, as 2026-01-31T12:00:00Z, not "${text}"`);
  }
}
