import { isTopic } from '../message/topic.js';
import { badRequest } from './api-error.js';

/** Names and values that came with a request. Whatever they cannot be is a 400 that names it. */
export class GivenValues {
  private constructor(private readonly values: ReadonlyMap<string, unknown>) {}

  /** Of a URL; `known` are the names that there may be, beside `bus`. */
  static ofQuery(url: string, known: readonly string[]): GivenValues {
    const { searchParams } = new URL(url, 'http://localhost');
    const twice = [...searchParams.keys()].find((name) => searchParams.getAll(name).length > 1);
    if (twice !== undefined) throw badRequest(`"${short(twice)}" was given more than once`);
    return new GivenValues(checked([...searchParams], known));
  }

  /** Of a body in JSON. */
  static ofBody(body: unknown, known: readonly string[]): GivenValues {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw badRequest('The body must be an object in JSON');
    return new GivenValues(checked(Object.entries(body), known));
  }

  has(name: string): boolean {
    const value = this.values.get(name);
    return value !== undefined && value !== null;
  }

  /** A text that is not empty. */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw badRequest(`"${name}" is missing`);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.values.get(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' && value !== '' && value.length <= 1_000) return value;
    throw badRequest(`"${name}" must be a text of 1 to 1000 characters, not ${shown(value)}`);
  }

  topic(): string {
    const topic = this.text('topic');
    if (isTopic(topic)) return topic;
    throw badRequest(`"topic" must be the name of a topic, as "orders.created", not ${shown(topic)}`);
  }

  /** Undefined where it was not given. */
  whole(name: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.values.get(name);
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most)
      return number as number;
    throw badRequest(`"${name}" must be a whole number from ${least} to ${most}, not ${shown(value)}`);
  }

  /** How many a page has. */
  limit(): number {
    return this.whole('limit', 1, 1_000) ?? 50;
  }

  position(name: string): string | undefined {
    const value = this.optionalText(name);
    if (value === undefined || /^\d{1,20}-\d{1,20}$/.test(value)) return value;
    throw badRequest(`"${name}" must be a position, as 1700000000000-0, not ${shown(value)}`);
  }

  flag(name: string): boolean {
    const value = this.values.get(name) ?? false;
    if (typeof value === 'boolean') return value;
    throw badRequest(`"${name}" must be true or false, not ${shown(value)}`);
  }

  choice<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.text(name);
    const word = words.find((each) => each === value);
    if (word !== undefined) return word;
    throw badRequest(`"${name}" must be one of ${words.join(', ')}, not ${shown(value)}`);
  }
}

function checked(entries: [string, unknown][], known: readonly string[]): Map<string, unknown> {
  const stranger = entries.find(([name]) => name !== 'bus' && !known.includes(name));
  if (stranger === undefined) return new Map(entries);
  const all = ['bus', ...known].join(', ');
  throw badRequest(`There is no "${short(stranger[0])}" to give; there are ${all}`);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return short(text);
}

function short(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
