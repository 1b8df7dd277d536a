/** A value that codecs are tried with. */
export type GeneratedValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | GeneratedValue[]
  | { [key: string]: GeneratedValue };

const characters = ['a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\0', '\u2028', 'ß', '漢', '😀', '\u200d', '_'];
const numbers = [0, 1, -1, 0.1, 1e21, 1e-7, 2 ** 53, -(2 ** 31), 5e-324, 1.7976931348623157e308];

const pick = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)];
const count = (random: () => number, most: number) => Math.floor(random() ** 2 * (most + 1));

function someText(random: () => number): string {
  return Array.from({ length: count(random, 40) }, () => pick(random, characters)).join('');
}

/** Anything that JSON can say, at most `depth` deep. */
export function someJson(random: () => number, depth = 4): GeneratedValue {
  const kind = random() * (depth > 0 ? 7 : 5);
  if (kind < 1) return null;
  if (kind < 2) return random() < 0.5;
  if (kind < 3) return random() < 0.5 ? pick(random, numbers) : (random() - 0.5) * 1e6;
  if (kind < 5) return someText(random);
  const members = Array.from({ length: count(random, 6) }, () => someJson(random, depth - 1));
  if (kind < 6) return members;
  return Object.fromEntries(members.map((member, index) => [`${index}${someText(random)}`, member]));
}

/** Some bytes, rarely many, often none or few. */
export function someBytes(random: () => number): Uint8Array {
  const size = random() < 0.05 ? count(random, 200_000) : count(random, 300);
  return Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
}
