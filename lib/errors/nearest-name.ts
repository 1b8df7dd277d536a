import { distance } from 'fastest-levenshtein';

/** The one of `names` that differs least from what was given, if it differs little. */
export function nearestName(given: string, names: Iterable<string>): string | undefined {
  const wanted = given.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.ceil(given.length / 2.5)) + 1;
  for (const known of names) {
    const differs = distance(wanted, known.toLowerCase());
    if (differs >= bestDistance || differs >= known.length) continue;
    best = known;
    bestDistance = differs;
  }
  return best;
}
