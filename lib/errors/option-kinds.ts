import { types } from 'node:util';

/** What an option may be. */
export interface OptionKind {
  /** What it is called after "must be". */
  readonly told: string;
  fits(value: unknown): boolean;
  /** What its own options may be, where it is an object. */
  readonly within?: OptionKinds<any>;
  /** What each of its values may be, where its names are free. */
  readonly each?: OptionKind;
}

/** What every option of `Options` may be. The type holds the list complete. */
export type OptionKinds<Options> = { readonly [Name in keyof Required<Options>]: OptionKind };

/** Whatever is checked elsewhere, with a message of its own. */
export const checkedElsewhere: OptionKind = { told: 'anything', fits: () => true };

export const aBoolean: OptionKind = { told: 'true or false', fits: (value) => typeof value === 'boolean' };
export const aString: OptionKind = { told: 'a string', fits: (value) => typeof value === 'string' };
export const aNumber: OptionKind = { told: 'a number', fits: (value) => Number.isFinite(value) };
export const aFunction: OptionKind = { told: 'a function', fits: (value) => typeof value === 'function' };
export const aList: OptionKind = { told: 'an array', fits: (value) => Array.isArray(value) };
export const anObject: OptionKind = { told: 'an object', fits: isPlain };
export const aSignal: OptionKind = {
  told: 'an AbortSignal',
  fits: (value) => signalMethods.fits(value) && typeof (value as AbortSignal).aborted === 'boolean',
};
const signalMethods = having('an AbortSignal', 'addEventListener', 'removeEventListener');
export const aClock: OptionKind = having('a clock', 'now', 'monotonic');

/** A length of time by its looks: what it says, and its bounds, are checked where it is read. */
export const aDuration: OptionKind = {
  told: "a duration (milliseconds, or '250ms', '30s', '5m')",
  fits: (value) => typeof value === 'number' || typeof value === 'string',
};
/** A moment in time. */
export const aMoment: OptionKind = {
  told: 'a Date or milliseconds since the epoch',
  fits: (value) => Number.isFinite(types.isDate(value) ? value.getTime() : value),
};
export const aCodec: OptionKind = having('a codec', 'encode', 'decode');

/** What a container provides something by. */
export const aToken: OptionKind = {
  told: 'a class, a string or a symbol',
  fits: (value) => ['function', 'string', 'symbol'].includes(typeof value),
};

/** An object with these methods. */
export function having(told: string, ...methods: readonly string[]): OptionKind {
  const fits = (value: unknown) =>
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
  return { told, fits };
}

export const aDriver: OptionKind = having('a driver', 'publish', 'subscribe');

/** An object with options of its own. */
export function options<Options>(within: OptionKinds<Options>): OptionKind {
  return { ...anObject, within };
}

/** An object that holds an object with options by each of its names. */
export function optionsByName(each: OptionKind): OptionKind {
  return { ...anObject, each };
}

/** One of these values. */
export function oneOf(...values: readonly unknown[]): OptionKind {
  const told = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)));
  return { told: alternatives(told), fits: (value) => values.includes(value) };
}

/** What `kind` is, or `false`. */
export function orFalse(kind: OptionKind): OptionKind {
  return either(kind, { told: 'false', fits: (value) => value === false });
}

/** What one of two kinds is. */
export function either(first: OptionKind, second: OptionKind): OptionKind {
  const fits = (value: unknown) => first.fits(value) || second.fits(value);
  return { ...first, told: `${first.told} or ${second.told}`, fits };
}

/** A password, or the function that is asked for it at each connection. */
export const aPassword: OptionKind = either(aString, aFunction);

/** An object, and none that stands for something else. */
function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function alternatives(told: readonly string[]): string {
  if (told.length < 2) return told.join();
  return `${told.slice(0, -1).join(', ')} or ${told.at(-1)}`;
}
