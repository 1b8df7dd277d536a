/** The middle one of `values`, or the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which `share` (0 to 1) of the sorted `values` lie. */
export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Microseconds on a clock that all processes of this machine share. */
export function nowUs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** The rounds of several contenders, each round beginning with another one: `measure(contender)` once per round and contender. */
export async function interleave(contenders, rounds, measure) {
  const results = new Map(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < contenders.length; index++) {
      const contender = contenders[(index + round) % contenders.length];
      results.get(contender).push(await measure(contender, round));
    }
  }
  return results;
}

/** `ours[i] / theirs[i]` of each round. */
export function ratiosOf(ours, theirs) {
  return ours.map((value, round) => value / theirs[round]);
}

/** The share of the median within which half of `values` lie: 0.02 is ± 2 %. 0 for a single one. */
export function spreadOf(values) {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value / middle - 1)));
}
