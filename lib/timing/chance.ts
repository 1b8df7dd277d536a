let source: () => number = Math.random;

/** A number from 0 to 1: whatever spreads its waits draws it here. */
export function chance(): number {
  return source();
}

/** All numbers come from `other`, until the returned function is called: what is drawn can be drawn again. */
export function drawFrom(other: () => number): () => void {
  const before = source;
  source = other;
  return () => {
    source = before;
  };
}
