import { isError } from '../errors/is-error.js';

/** Where a bus writes what its operator should know. Nest's Logger and the console both fit. */
export interface BusLogger {
  log(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/** One line on an error: its name and message, without control characters, at most 300 characters. */
export function errorLine(error: unknown): string {
  const text = isError(error) ? `${error.name}: ${error.message}` : `a value of type ${typeof error}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a log.
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 300);
}
