const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A length of time in its largest unit and the next: `2h 5m`. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  const at = units.findIndex(([, size]) => whole >= size);
  if (at < 0) return `${whole}ms`;
  const [unit, size] = units[at];
  const next = units[at + 1];
  const rest = next && Math.floor((whole % size) / next[1]);
  return `${Math.floor(whole / size)}${unit}${rest ? ` ${rest}${next[0]}` : ''}`;
}

/** A moment in ISO 8601. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** So many of something: `1 message`, `2 messages`. */
export function count(many: number, noun: string): string {
  return `${many} ${noun}${many === 1 ? '' : 's'}`;
}
