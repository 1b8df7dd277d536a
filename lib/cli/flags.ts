import type { ArgDef, ArgsDef } from 'citty';
import { nearestName } from '../errors/nearest-name.js';
import { usageError } from './exit-codes.js';

/** Throws a usage error for flags that `args` does not have, that miss their value or come twice, and for too many words. */
export function assertArguments(words: readonly string[], args: ArgsDef): void {
  const seen = new Set<string>();
  const given: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === '--') {
      given.push(...words.slice(index + 1));
      break;
    }
    if (!isFlag(word)) {
      given.push(word);
      continue;
    }
    const [name, definition] = flagOf(word, args);
    if (seen.has(name)) throw usageError(`--${name} is given twice`);
    seen.add(name);
    if (definition.type === 'string') index += wordsOfValue(word, words[index + 1]);
    else if (word.includes('=')) throw usageError(`--${name} takes no value`);
  }
  const places = Object.values(args).filter(({ type }) => type === 'positional').length;
  if (given.length > places) throw usageError(`There is no place for "${given[places]}"`);
}

/** `-` alone stands for stdin. */
export function isFlag(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

/** The definition of a flag, by its name or its one-letter alias. */
function flagOf(word: string, args: ArgsDef): [name: string, definition: ArgDef] {
  const name = word.replace(/^--?/, '').replace(/=.*$/s, '');
  const flags = Object.entries(args).filter(([, { type }]) => type !== 'positional');
  const found = flags.find(([known, definition]) =>
    word.startsWith('--') ? known === name : aliasOf(definition) === name,
  );
  if (found !== undefined) return found;
  const near = nearestName(
    name,
    flags.map(([known]) => known),
  );
  const shown = word.replace(/=.*$/s, '');
  throw usageError(`There is no flag ${shown}${near === undefined ? '' : `; did you mean --${near}?`}`);
}

/** How many words the value takes beside the flag's. */
function wordsOfValue(word: string, next: string | undefined): number {
  if (word.includes('=')) return 0;
  if (next === undefined || next.startsWith('--')) throw usageError(`${word} needs a value`);
  return 1;
}

/** The one letter that stands for a flag, if there is one. */
export function aliasOf(definition: ArgDef): string | undefined {
  return 'alias' in definition && typeof definition.alias === 'string' ? definition.alias : undefined;
}
