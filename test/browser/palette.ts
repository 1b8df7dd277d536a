import { deflateSync, inflateSync } from 'node:zlib';

const MOST = 256;
/** So many colours that are seen most, as those of areas, are kept as they are. */
const AREAS = 48;

/** A picture with a palette of at most 256 colours in place of a png of 8 bits a channel: a fraction of its size. */
export function withPalette(png: Buffer): Buffer {
  const { width, height, channels, data } = pixelsOf(png);
  const colours = new Uint32Array(width * height);
  const exact = new Map<number, number>();
  for (let index = 0; index < colours.length; index++) {
    const at = index * channels;
    colours[index] = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    exact.set(colours[index], (exact.get(colours[index]) ?? 0) + 1);
  }
  // Of colours that nobody tells apart, the one that is seen most.
  const shades = new Set<number>();
  const seen = [...exact.entries()].sort(([, one], [, other]) => other - one).map(([colour]) => colour);
  const others = seen.slice(AREAS).filter((colour) => {
    const shade = colour & 0xf0f0f0;
    return !shades.has(shade) && shades.add(shade);
  });
  const palette = [...seen.slice(0, AREAS), ...others].slice(0, MOST);
  const places = new Map(palette.map((colour, index) => [colour, index]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let index = 0; index < colours.length; index++) {
    const colour = colours[index];
    let place = places.get(colour);
    if (place === undefined) {
      place = nearest(colour, palette);
      places.set(colour, place);
    }
    rows[Math.floor(index / width) + index + 1] = place;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const bytes = palette.flatMap((colour) => [16, 8, 0].map((bits) => (colour >> bits) & 0xff));
  return Buffer.concat([
    png.subarray(0, 8),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(bytes)),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function nearest(colour: number, among: readonly number[]): number {
  const away = (other: number) =>
    [16, 8, 0].reduce((sum, bits) => sum + (((colour >> bits) & 0xff) - ((other >> bits) & 0xff)) ** 2, 0);
  let best = 0;
  for (let index = 1; index < among.length; index++) if (away(among[index]) < away(among[best])) best = index;
  return best;
}

function chunk(type: string, data: Buffer): Buffer {
  const made = Buffer.alloc(12 + data.length);
  made.writeUInt32BE(data.length, 0);
  made.write(type, 4, 'latin1');
  data.copy(made, 8);
  made.writeUInt32BE(checksum(made.subarray(4, 8 + data.length)), 8 + data.length);
  return made;
}

function checksum(data: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of data) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return (sum ^ 0xffffffff) >>> 0;
}

/** The pixels of a png as browsers write it: 8 bits a channel, not interlaced. */
function pixelsOf(png: Buffer) {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const channels = png[25] === 6 ? 4 : 3;
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const raw = inflateSync(Buffer.concat(parts));
  const line = width * channels;
  const data = Buffer.alloc(line * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)];
    for (let x = 0; x < line; x++) {
      const at = y * line + x;
      const left = x < channels ? 0 : data[at - channels];
      const up = y === 0 ? 0 : data[at - line];
      const corner = x < channels || y === 0 ? 0 : data[at - line - channels];
      data[at] = raw[y * (line + 1) + 1 + x] + predicted(filter, { left, up, corner });
    }
  }
  return { width, height, channels, data };
}

function predicted(filter: number, { left, up, corner }: { left: number; up: number; corner: number }) {
  if (filter < 4) return [0, left, up, (left + up) >> 1][filter];
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [left, up, corner].map((each) => Math.abs(guess - each));
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
