const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789 ';

/** Text of `length` characters that compresses about as words do, and is the same every time. */
function textOf(length) {
  const words = [];
  let seed = 42;
  const next = (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let word = 0; word < 200; word++) {
    words.push(Array.from({ length: 2 + next(8) }, () => alphabet[next(alphabet.length - 1)]).join(''));
  }
  let text = '';
  while (text.length < length) text += `${words[next(words.length)]} `;
  return text.slice(0, length);
}

/** A function that makes payloads of `sizeBytes`: an object whose JSON has that size, or that many raw bytes. Each holds when it was made. */
export function makePayload(sizeBytes, raw = false) {
  if (!raw) {
    const text = textOf(Math.max(1, sizeBytes - JSON.stringify({ at: 1_234_567_890, text: '' }).length));
    return (at) => ({ at, text });
  }
  const untimed = Buffer.from(textOf(sizeBytes));
  return (at) => {
    if (at === 0) return untimed;
    const bytes = Buffer.from(untimed);
    bytes.writeDoubleLE(at, 0);
    return bytes;
  };
}
