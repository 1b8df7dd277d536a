import { distance } from 'fastest-levenshtein';

/** The name that differs least, if it differs little. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.ceil(name.length / 2.5)) + 1;
  for (const known of names) {
    const differs = distance(given, known.toLowerCase());
    if (differs >= bestDistance || differs >= known.length) continue;
    best = known;
    bestDistance = differs;
  }
  return best;
}
