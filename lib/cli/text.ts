import { count, duration, iso } from '../timing/words.js';
import { type Paint, printable, type Tone } from './terminal.js';

export { count, duration, iso };

/** A column of a table, of rows that are also what `--json` prints: a column shows what a field of the row says. */
export interface Column<Row> {
  readonly name: string;
  readonly of: (row: Row) => string | number | undefined;
  readonly tone?: (row: Row) => Tone | undefined;
}

/** Rows under names, aligned by spaces; numbers to the right, nothing cut off. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): string {
  const cells = rows.map((row) => columns.map(({ of }) => cellOf(of(row))));
  const isNumeric = columns.map(({ of }) => rows.some((row) => typeof of(row) === 'number'));
  const widths = columns.map(({ name }, index) =>
    Math.max(name.length, ...cells.map((row) => row[index].length)),
  );
  const pad = (text: string, index: number) =>
    isNumeric[index] ? text.padStart(widths[index]) : text.padEnd(widths[index]);
  const head = columns.map(({ name }, index) => paint('dim', pad(name, index)));
  const body = cells.map((row, at) =>
    row.map((text, index) => paint(columns[index].tone?.(rows[at]), pad(text, index))),
  );
  return [head, ...body].map((line) => line.join('  ').trimEnd()).join('\n');
}

/** Names and what they are, one below the other. */
export function facts(
  pairs: readonly (readonly [name: string, value: string | number | undefined])[],
): string {
  const given = pairs.filter(([, value]) => value !== undefined);
  const width = Math.max(...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`).join('\n');
}

function cellOf(value: string | number | undefined): string {
  return value === undefined || value === '' ? '-' : printable(String(value)).replace(/\n/g, ' ');
}

/** How long before `now` something was; undefined where it never was. */
export function age(at: number | undefined, now: number): string | undefined {
  return at === undefined ? undefined : duration(now - at);
}

/** How long it is until `at`; undefined where it will not be. */
export function until(at: number | undefined, now: number): string | undefined {
  if (at === undefined) return undefined;
  return at <= now ? `${duration(now - at)} ago` : `in ${duration(at - now)}`;
}

const isTime = /(^at|^since|^until|At|Until|Since)$/;

/** One line of JSON: times are written in ISO 8601, bytes in base64, bigints as digits in a string, numbers as they are. */
export function json(value: unknown): string {
  return JSON.stringify(plainly(value));
}

function plainly(value: unknown, name = ''): unknown {
  if (typeof value === 'number' && isTime.test(name)) return iso(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((each) => plainly(each));
  if (typeof value !== 'object' || value === null || name === 'payload') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plainly(each, key)]));
}
