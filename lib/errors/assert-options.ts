import { ConfigurationError } from './bus.errors.js';
import { nearestName } from './nearest-name.js';
import { anObject, type OptionKind, type OptionKinds } from './option-kinds.js';

/** By the name of an option that others have and this library does not: what to use in its place. */
export type Replacements = Readonly<Record<string, string>>;

/** What {@link assertOptions} is told beside the options. */
export interface OptionsPlace {
  /** What stands before the names of options in errors. @default the place itself */
  readonly path?: string;
  readonly replacements?: Replacements;
}

/**
 * Throws ConfigurationError for an option of `given` that `kinds` does not list, with the nearest name that it does list,
 * and for one of another kind. A listed option may be undefined. No value is told that may be a secret.
 */
export function assertOptions<Options>(
  where: string,
  given: unknown,
  kinds: OptionKinds<Options>,
  place?: OptionsPlace,
): void {
  if (given === undefined || isPlainlyRight(given, kinds)) return;
  if (!anObject.fits(given)) {
    throw new ConfigurationError(`The options of ${where} must be an object, not ${shown(given)}`);
  }
  const { path = where, replacements } = place ?? {};
  for (const [name, value] of Object.entries(given as object)) {
    if (!Object.hasOwn(kinds, name)) throw unknownOption(where, name, kinds, replacements);
    const kind = kinds[name as keyof Options];
    if (value !== undefined) assertKind(path === '' ? name : `${path}.${name}`, name, value, kind);
  }
}

/** The common case, without allocating anything: every option is listed, fits and has none within. */
function isPlainlyRight(given: unknown, kinds: OptionKinds<any>): boolean {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false;
  for (const name in given) {
    const kind: OptionKind | undefined = kinds[name];
    // What every object inherits is no kind.
    if (kind?.fits === undefined || kind.within !== undefined || kind.each !== undefined) return false;
    const value = (given as Record<string, unknown>)[name];
    if (value !== undefined && !kind.fits(value)) return false;
  }
  return true;
}

/** Kinds by name, without a prototype: for {@link assertMessageOptions}. */
export type MessageKinds = Readonly<Record<string, OptionKind>>;

/** What {@link assertMessageOptions} is told of the options of a message. */
export function messageKinds<Options>(kinds: OptionKinds<Options>): MessageKinds {
  return Object.assign(Object.create(null), kinds);
}

/**
 * The same where it is called for every message: options that have none within. Costs a look-up and a comparison for each
 * option that is given, and allocates nothing where all are right.
 */
export function assertMessageOptions(where: string, given: object, kinds: MessageKinds): void {
  if (!anObject.fits(given)) {
    throw new ConfigurationError(`The options of ${where} must be an object, not ${shown(given)}`);
  }
  for (const name in given) {
    const kind = kinds[name];
    if (kind === undefined) throw unknownOption(where, name, kinds);
    const value = (given as Record<string, unknown>)[name];
    if (value !== undefined && !kind.fits(value)) assertKind(`${where}.${name}`, name, value, kind);
  }
}

/** Those of `given` that `kinds` lists: the rest is for somebody else. */
export function pickOptions<Options>(given: object, kinds: OptionKinds<Options>): Partial<Options> {
  return Object.fromEntries(
    Object.entries(given).filter(([name]) => Object.hasOwn(kinds, name)),
  ) as Partial<Options>;
}

function assertKind(path: string, name: string, value: unknown, kind: OptionKind): void {
  if (!kind.fits(value)) {
    const told = secrets.test(name) ? typeof value : shown(value);
    throw new ConfigurationError(`${path} must be ${kind.told}, not ${told}`);
  }
  if (!anObject.fits(value)) return;
  if (kind.within) assertOptions(path, value, kind.within);
  if (kind.each) {
    for (const [key, each] of Object.entries(value as object)) {
      if (each !== undefined) assertKind(`${path}["${shortened(key)}"]`, key, each, kind.each);
    }
  }
}

const secrets = /password|username|url|client|tls/i;

function unknownOption(
  where: string,
  name: string,
  kinds: object,
  replacements?: Replacements,
): ConfigurationError {
  const said = `${where}: there is no option "${shortened(name)}"`;
  const instead = replacements && Object.hasOwn(replacements, name) ? replacements[name] : undefined;
  if (instead !== undefined) return new ConfigurationError(`${said}: ${instead}`);
  const near = nearestName(name, Object.keys(kinds));
  if (near !== undefined) return new ConfigurationError(`${said}; did you mean "${near}"?`);
  return new ConfigurationError(`${said}; there are ${Object.keys(kinds).join(', ')}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value.includes('://') ? 'a URL' : `'${shortened(value)}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
