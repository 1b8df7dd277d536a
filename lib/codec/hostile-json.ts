import { CodecError } from '../errors/message.errors.js';

/** The deepest nesting of arrays and objects that a JSON payload may have. */
export const MAX_JSON_DEPTH = 64;

/** Throws {@link CodecError} for JSON text nested deeper than {@link MAX_JSON_DEPTH}. Takes time linear in the text. */
export function assertShallow(text: string): void {
  if (!hasMoreOpeningsThan(text, MAX_JSON_DEPTH)) return;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (inString) {
      if (unit === 0x5c) index++;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > MAX_JSON_DEPTH)
        throw new CodecError(`JSON is nested deeper than ${MAX_JSON_DEPTH} levels`);
    } else if (unit === 0x7d || unit === 0x5d) depth--;
  }
}

/** A quick look that settles almost every payload: without `most` opening brackets there is no such depth. */
function hasMoreOpeningsThan(text: string, most: number): boolean {
  // Each opening bracket has a closing one, or the text is no JSON and will not be read.
  if (text.length <= most * 2) return false;
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++count > most) return true;
    }
  }
  return false;
}

/** Whether the text may spell the key `__proto__`, plainly or with escapes. Almost always false, and quick. */
export function maySpellProto(text: string): boolean {
  return spellsProto(text) || text.includes('\\u00');
}

/** The same for text that JSON.stringify wrote: it escapes none of these characters. */
export function spellsProto(text: string): boolean {
  return text.includes('__proto__');
}

/** Throws {@link CodecError} if any object within `value` has the own key `__proto__`. `value` must be no deeper than the limit. */
export function assertNoProto(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (Object.hasOwn(value, '__proto__')) throw new CodecError('JSON holds the key "__proto__"');
  for (const child of Object.values(value)) assertNoProto(child);
}
