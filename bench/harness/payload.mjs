/** A function that makes payloads of `sizeBytes`: an object whose JSON has that size, or that many raw bytes. Each holds when it was made. */
export function makePayload(sizeBytes, raw = false) {
  if (raw) {
    return (at) => {
      const bytes = Buffer.allocUnsafe(sizeBytes).fill(0x61);
      bytes.writeDoubleLE(at, 0);
      return bytes;
    };
  }
  const text = 'x'.repeat(Math.max(1, sizeBytes - JSON.stringify({ at: 1234567890, text: '' }).length));
  return (at) => ({ at, text });
}
