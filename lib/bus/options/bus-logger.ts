import { isError } from '../../errors/is-error.js';

/** Where a bus writes what its operator should know. Nest's Logger and the console both fit. */
export interface BusLogger {
  log(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a log.
const controls = /[\x00-\x1f\x7f]+/g;

/** One line on an error: its name and message, without control characters, at most 300 characters. */
export function errorLine(error: unknown): string {
  return textOf(error).replace(controls, ' ').slice(0, 300);
}

/** Total, whatever an error of a caller's own holds. */
function textOf(error: unknown): string {
  if (!isError(error)) return `a value of type ${typeof error}`;
  try {
    return `${error.name}: ${error.message}`;
  } catch {
    return 'an error that cannot be read';
  }
}

/** Frames of a stack that are told. */
const FRAMES = 8;

/** Where an error was thrown: lines to stand below the one that tells of it; nothing where that is not known. */
export function stackOf(error: unknown): string {
  if (!isError(error) || typeof error.stack !== 'string') return '';
  const frames = error.stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames
    .slice(0, FRAMES)
    .map((line) => `\n${line.replace(controls, ' ')}`)
    .join('');
}
