/** How many bytes {@link writeVarint} takes for `value` (0 to 2³¹−1). */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/** Writes `value` as a little-endian base-128 number and returns the offset after it. */
export function writeVarint(bytes: Uint8Array, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** The number at `offset`, or -1 if the bytes end within it, it exceeds 2³¹−1, or it is longer than it need be. */
export function readVarint(bytes: Uint8Array, offset: number): number {
  if (offset < bytes.length && bytes[offset] < 0x80) return bytes[offset];
  let value = 0;
  for (let index = 0; index < 5 && offset + index < bytes.length; index++) {
    const byte = bytes[offset + index];
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value <= 0x7fffffff && (byte > 0 || index === 0) ? value : -1;
  }
  return -1;
}
