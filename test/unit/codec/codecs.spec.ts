import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { GzipCodec } from '../../../lib/codec/gzip.codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import { PayloadCodec } from '../../../lib/codec/payload.codec.js';

const json = new JsonCodec();
const codecError = expect.objectContaining({ code: 'DISCO_CODEC' });

/** That key is refused, which has its own cases. */
const jsonValues = fc
  .jsonValue({ maxDepth: 8 })
  .filter((value) => !JSON.stringify(value).includes('"__proto__":'));

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

describe('JsonCodec', () => {
  it('round-trips what JSON can say', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        expect(JSON.stringify(json.decode(json.encode(value)))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('reads UTF-8 bytes as well as text', () => {
    expect(json.decode({ data: Buffer.from('"ü€😀"'), codec: 0, compression: 0 })).toBe('ü€😀');
  });

  it.each([
    ['bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['undefined', undefined],
  ])('refuses to write %s', (_, value) => {
    expect(() => json.encode(value)).toThrow(codecError);
  });

  it('refuses a cycle, with the cause', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    expect(() => json.encode(cycle)).toThrow(
      expect.objectContaining({ code: 'DISCO_CODEC', cause: expect.any(TypeError) }),
    );
  });

  it.each([nested(65), nested(10_000), `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`])(
    'refuses deep nesting on both sides',
    (text) => {
      expect(() => json.decode({ data: text, codec: 0, compression: 0 })).toThrow(codecError);
      expect(() => json.encode(JSON.parse(text))).toThrow(codecError);
    },
  );

  it('accepts 64 levels, many brackets side by side, and brackets within strings', () => {
    for (const text of [
      nested(64),
      `[${Array(5_000).fill('{}').join(',')}]`,
      JSON.stringify('['.repeat(9_000)),
      JSON.stringify('\\"[['.repeat(500)),
    ]) {
      expect(JSON.stringify(json.decode({ data: text, codec: 0, compression: 0 }))).toBe(text);
    }
  });

  it.each(['{"__proto__":{"x":1}}', '{"a":[{"\\u005f_proto__":1}]}', '{"a":{"__pr\\u006fto__":{}}}'])(
    'refuses the key __proto__: %s',
    (text) => {
      expect(() => json.decode({ data: text, codec: 0, compression: 0 })).toThrow(codecError);
      expect(() => json.encode(JSON.parse(text))).toThrow(codecError);
      expect(({} as { x?: number }).x).toBeUndefined();
    },
  );

  it('accepts __proto__ as a value', () => {
    expect(json.decode(json.encode({ name: '__proto__', other: '\\u0041' }))).toEqual({
      name: '__proto__',
      other: '\\u0041',
    });
  });

  it('does not quote the input in its error', () => {
    expect(() => json.decode({ data: 'secret-4711', codec: 0, compression: 0 })).toThrow(/^((?!4711).)*$/);
  });

  it('refuses a body of another codec', () => {
    expect(() => json.decode({ data: '1', codec: 5, compression: 0 })).toThrow(codecError);
  });
});

describe('PayloadCodec', () => {
  const codec = new PayloadCodec(json);

  it('sends bytes raw, and gives a copy', () => {
    const bytes = Buffer.from([0, 0x1f, 0x8b, 0xff]);
    const body = codec.encode(bytes);
    expect(body).toMatchObject({ codec: 1 });
    const decoded = codec.decode(body as never) as Buffer;
    expect(decoded).toEqual(bytes);
    expect(decoded.buffer === bytes.buffer && decoded.byteOffset === bytes.byteOffset).toBe(false);
  });

  it('sends the rest as JSON', () => {
    expect(codec.encode({ a: 1 })).toEqual({ data: '{"a":1}', codec: 0, compression: 0 });
  });
});

describe('GzipCodec', () => {
  const gzip = new GzipCodec(json, { threshold: 100, maxBytes: 1_000_000 });
  const inflate = (data: Uint8Array) => gzip.decode({ data, codec: 0, compression: 1 });

  it('leaves small bodies and such as do not shrink', async () => {
    expect(await gzip.encode('short')).toMatchObject({ compression: 0 });
    const raw = new GzipCodec(new PayloadCodec(json), { threshold: 1 });
    const noise = randomBytes(500);
    expect(await raw.encode(noise)).toMatchObject({ compression: 0, codec: 1 });
  });

  it.each([1_000, 200_000, 900_000])('round-trips %i bytes, off the event loop when large', async (size) => {
    const value = 'ab'.repeat(size / 2);
    const body = gzip.encode(value);
    expect(types.isPromise(body)).toBe(size > 96 * 1024);
    const settled = await body;
    expect(settled.compression).toBe(1);
    expect(await gzip.decode(settled)).toBe(value);
  });

  it('stops a bomb at its limit, small and large', async () => {
    await expect((async () => inflate(gzipSync(Buffer.alloc(5_000_000))))()).rejects.toThrow(/limit/);
    await expect((async () => inflate(gzipSync(Buffer.alloc(60_000_000))))()).rejects.toThrow(/limit/);
  });

  it('inflates no further than the trailer tells, on this thread', () => {
    const lying = gzipSync(Buffer.alloc(5_000_000));
    lying.writeUInt32LE(100, lying.length - 4);
    expect(() => inflate(lying)).toThrow(/exactly one gzip member/);
  });

  it.each([
    ['truncated', gzipSync(Buffer.from('"aaaaaaaaaa"')).subarray(0, 18)],
    ['empty', Buffer.alloc(0)],
    ['no gzip', Buffer.from('plain text, not gzip')],
    ['trailing garbage', Buffer.concat([gzipSync(Buffer.from('"a"')), Buffer.from('zz')])],
    ['two members', Buffer.concat([gzipSync(Buffer.from('"a')), gzipSync(Buffer.from('b"'))])],
    ['1000 members', Buffer.concat(Array(1_000).fill(gzipSync(Buffer.from('1'))))],
    ['a wrong checksum', corrupt(gzipSync(Buffer.from('"aaaaaaaaaa"')), -6)],
  ])('refuses a body that is %s', async (_, data) => {
    await expect((async () => inflate(data))()).rejects.toThrow(codecError);
  });

  it.each([2, 200])('holds no more memory than the compressed bytes need: %d KiB', async (kib) => {
    const { data } = await gzip.encode('a'.repeat(kib * 1024));
    const bytes = data as Uint8Array;
    expect(bytes.byteLength).toBeLessThan(2_000);
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
  });

  it('refuses an unknown compression', () => {
    expect(() => gzip.decode({ data: '1', codec: 0, compression: 2 })).toThrow(codecError);
  });

  it.each([{ level: -3 }, { level: 10 }, { level: 1.5 }, { threshold: -1 }, { algorithm: 'zip' as 'gzip' }])(
    'refuses the options %p',
    (options) => {
      expect(() => new GzipCodec(json, options)).toThrow(
        expect.objectContaining({ code: 'DISCO_CONFIGURATION' }),
      );
    },
  );
});

function corrupt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at] ^= 1;
  return copy;
}
