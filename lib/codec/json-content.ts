import { types } from 'node:util';
import { CodecError } from '../errors/message.errors.js';
import { MAX_JSON_DEPTH } from './hostile-json.js';

/** The longest path that an error names. */
const MAX_PATH_LENGTH = 200;
/** A Buffer becomes an object with an array in it. */
const BUFFER_LEVELS = 2;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** What is wrong with a value, and where it stands. */
class Loss {
  /** From the innermost key outwards. */
  readonly keys: (string | number)[] = [];

  constructor(readonly what: string) {}

  at(key: string | number): this {
    this.keys.push(key);
    return this;
  }
}

/** The payload is nested too deep to be looked at. */
const tooDeep = new Loss('too deep');

/**
 * Throws {@link CodecError} with the path of the first value within `payload` that JSON would drop, empty or replace:
 * NaN, infinities, bigint, functions, symbols, `undefined` in an array, invalid dates, and objects whose content is not in
 * their properties, such as a Map, Error, Promise, RegExp or typed array. `toJSON` is respected: its result counts. An
 * `undefined` property stands for a missing one and passes.
 *
 * Returns whether `payload` is nested no deeper than {@link MAX_JSON_DEPTH}; false for a cycle, too.
 *
 * Faster than a replacer function of JSON.stringify; the price is that `toJSON` is called here and there.
 */
export function assertJsonContent(payload: unknown): boolean {
  const loss = lossOf(payload, '', 0);
  if (loss === undefined) return true;
  if (loss === tooDeep) return false;
  const path = pathOf(loss.keys);
  throw new CodecError(`The payload cannot be written as JSON: ${path || 'it'} is ${loss.what}`, { path });
}

function lossOf(value: unknown, key: string | number, depth: number): Loss | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : new Loss(String(value));
    case 'object':
      return value === null ? undefined : lossOfObject(value, key, depth);
    default:
      return hasToJson(value) ? lossOfJsonForm(value, key, depth) : new Loss(`a ${typeof value}`);
  }
}

function lossOfObject(value: object, key: string | number, depth: number): Loss | undefined {
  if (depth === MAX_JSON_DEPTH) return tooDeep;
  if (hasToJson(value)) return lossOfJsonForm(value, key, depth);
  return lossWithin(value, depth);
}

function lossWithin(value: object, depth: number): Loss | undefined {
  if (Array.isArray(value)) return lossOfItems(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const what = hiddenContent(value);
    if (what !== undefined) return new Loss(what);
  }
  return lossOfProperties(value as Record<string, unknown>, depth);
}

function lossOfItems(items: readonly unknown[], depth: number): Loss | undefined {
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    const loss = item === undefined ? missing(items, index) : lossOf(item, index, depth + 1);
    if (loss !== undefined) return loss === tooDeep ? loss : loss.at(index);
  }
  return undefined;
}

function missing(items: readonly unknown[], index: number): Loss {
  return new Loss(Object.hasOwn(items, index) ? 'undefined in an array' : 'a hole in an array');
}

function lossOfProperties(value: Readonly<Record<string, unknown>>, depth: number): Loss | undefined {
  for (const key in value) {
    const loss = lossOf(value[key], key, depth + 1);
    // Inherited properties are not written; they are rare, so only what is wrong is looked at twice.
    if (loss !== undefined && (loss === tooDeep || Object.hasOwn(value, key))) {
      return loss === tooDeep ? loss : loss.at(key);
    }
  }
  return undefined;
}

function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

function lossOfJsonForm(
  value: { toJSON(key: string): unknown },
  key: string | number,
  depth: number,
): Loss | undefined {
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? new Loss('an invalid Date') : undefined;
  if (Buffer.isBuffer(value)) return depth + BUFFER_LEVELS > MAX_JSON_DEPTH ? tooDeep : undefined;
  const form = value.toJSON(String(key));
  return typeof form === 'object' && form !== null ? lossWithin(form, depth) : lossOfPrimitive(form);
}

/** JSON.stringify asks no second `toJSON` of what the first one returned. */
function lossOfPrimitive(form: unknown): Loss | undefined {
  if (typeof form === 'function' || typeof form === 'bigint') return new Loss(`a ${typeof form}`);
  return lossOf(form, '', 0);
}

/** What an instance holds that is not in its properties; undefined where they are all there is, as far as one can see. */
function hiddenContent(value: object): string | undefined {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === 'Object') return isThenable(value) ? 'a promise' : undefined;
  if (types.isBoxedPrimitive(value)) {
    const primitive: unknown = value.valueOf();
    return typeof primitive === 'number' && !Number.isFinite(primitive) ? String(primitive) : undefined;
  }
  if (types.isPromise(value)) return 'a promise';
  if (types.isNativeError(value) || value instanceof Error) return 'an Error';
  const builtIn = isBuiltIn(value) || Object.keys(value).length === 0;
  return builtIn ? `${/^[AEIO]/.test(tag) ? 'an' : 'a'} ${tag}` : undefined;
}

function isBuiltIn(value: object): boolean {
  return (
    ArrayBuffer.isView(value) || types.isMap(value) || types.isSet(value) || types.isAnyArrayBuffer(value)
  );
}

function isThenable(value: object): boolean {
  return typeof (value as { then?: unknown }).then === 'function';
}

function pathOf(keys: readonly (string | number)[]): string {
  let path = '';
  for (let at = keys.length - 1; at >= 0 && path.length < MAX_PATH_LENGTH; at--)
    path += step(keys[at]!, path);
  return path.length > MAX_PATH_LENGTH ? `${path.slice(0, MAX_PATH_LENGTH)}…` : path;
}

function step(key: string | number, path: string): string {
  if (typeof key === 'number') return `[${key}]`;
  if (!IDENTIFIER.test(key)) return `[${JSON.stringify(key)}]`;
  return path === '' ? key : `.${key}`;
}
