import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Codec, Compression, type EncodedBody } from '../../../lib/codec/codec.js';
import { GoCodec } from '../../../lib/codec/go.codec.js';
import { GzipCodec } from '../../../lib/codec/gzip.codec.js';
import { JsonCodec } from '../../../lib/codec/json.codec.js';
import { RawCodec } from '../../../lib/codec/raw.codec.js';
import { bytes, goPayloads, rawPayloads } from '../../integration/go-wire/fixtures.js';

const maxBytes = 1 << 20;
const json = new GoCodec(new JsonCodec(), { maxBytes });
const raw = new GoCodec(new RawCodec(), { maxBytes });
const code = (expected: string) => expect.objectContaining({ code: expected });
const body = (data: Uint8Array): EncodedBody => ({ data, codec: 1, compression: Compression.gzip });
const encoded = async (codec: Codec, payload: unknown) => (await codec.encode(payload)).data as Buffer;

describe('GoCodec', () => {
  it.each(goPayloads)('reads what Go wrote: $what', async ({ onRedis, plain, payload }) => {
    expect(await json.decode(body(onRedis))).toEqual(payload);
    expect(await raw.decode(body(onRedis))).toEqual(plain);
  });

  it.each(rawPayloads)('takes what is not compressed as it is: $what', async ({ onRedis, payload }) => {
    expect(await json.decode(body(onRedis))).toEqual(payload);
    expect(await raw.decode(body(onRedis))).toEqual(onRedis);
  });

  it.each([
    [9, '1f 8b 08 00 00 00 00 00 02 ff'],
    [6, '1f 8b 08 00 00 00 00 00 00 ff'],
    [1, '1f 8b 08 00 00 00 00 00 04 ff'],
    [0, '1f 8b 08 00 00 00 00 00 00 ff'],
    [-1, '1f 8b 08 00 00 00 00 00 00 ff'],
    [-2, '1f 8b 08 00 00 00 00 00 00 ff'],
  ])('writes at level %d the header that Go writes', async (level, header) => {
    const codec = new GoCodec(new JsonCodec(), { level, maxBytes });
    const member = await encoded(codec, { order_id: '123' });
    expect(member.subarray(0, 10)).toEqual(bytes(header));
    expect(gunzipSync(member).toString()).toBe('{"order_id":"123"}');
  });

  it("takes Go's levels for what they are: none, the default, Huffman coding alone", async () => {
    const text = Buffer.from('abcabcabcabd'.repeat(50));
    const sizes: Record<string, number> = {};
    for (const level of [0, -1, 6, -2]) {
      const member = await encoded(new GoCodec(new JsonCodec(), { level, maxBytes }), text);
      expect(gunzipSync(member)).toEqual(text);
      sizes[level] = member.length;
    }
    expect(sizes[0]).toBeGreaterThan(text.length);
    expect(sizes[-1]).toBe(sizes[6]);
    // Without repetitions found, about two bits for each of the four letters are left.
    expect(sizes[-2]).toBeGreaterThan(sizes[6] * 2);
    expect(sizes[-2]).toBeLessThan(text.length / 3);
  });

  it('writes at level 9 unless told otherwise, bytes as they are, also none', async () => {
    expect((await encoded(json, Buffer.of()))[8]).toBe(2);
    expect(gunzipSync(await encoded(json, Buffer.of()))).toHaveLength(0);
    expect(gunzipSync(await encoded(json, Uint8Array.of(0, 1, 255)))).toEqual(Buffer.of(0, 1, 255));
  });

  it('round-trips any bytes and any JSON, small and large', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (given) => {
        expect(await raw.decode(body(await encoded(raw, given)))).toEqual(Buffer.from(given));
      }),
    );
    const large = { text: randomBytes(200_000).toString('hex') };
    expect(await json.decode(body(await encoded(json, large)))).toEqual(large);
  });

  it('hands over a copy of bytes that it does not read', async () => {
    const given = Buffer.from('not json');
    const payload = json.decode(body(given));
    given.fill(0);
    expect(payload).toEqual(Buffer.from('not json'));
  });

  it('refuses what goes beyond the limit, compressed or not, large or small, and takes what is just within it', async () => {
    const small = new GoCodec(new RawCodec(), { maxBytes: 100 });
    const decoding = async (given: Buffer) => small.decode(body(given));
    await expect(decoding(Buffer.alloc(101))).rejects.toThrow(code('DISCO_CODEC'));
    await expect(decoding(gzipSync(Buffer.alloc(101)))).rejects.toThrow(code('DISCO_CODEC'));
    await expect(decoding(gzipSync(Buffer.alloc(50_000_000)))).rejects.toThrow(code('DISCO_CODEC'));
    await expect(decoding(gzipSync(Buffer.alloc(100)))).resolves.toHaveLength(100);
    await expect(encoded(small, Buffer.alloc(100))).resolves.toBeInstanceOf(Buffer);
    expect(() => small.encode(Buffer.alloc(101))).toThrow(code('DISCO_MESSAGE_TOO_LARGE'));
  });

  it('takes a member that is cut, changed or followed by anything as raw bytes', async () => {
    const member = gzipSync(Buffer.from('hello'));
    const changed = Buffer.from(member);
    changed[member.length - 6] ^= 1;
    for (const damaged of [member.subarray(0, -1), changed, Buffer.concat([member, Buffer.from('x')])]) {
      expect(await raw.decode(body(damaged))).toEqual(damaged);
    }
    const large = gzipSync(randomBytes(100_000)).subarray(0, -4);
    expect(await raw.decode(body(large))).toEqual(large);
  });

  it('takes hostile JSON as bytes', () => {
    const deep = '['.repeat(100) + ']'.repeat(100);
    for (const text of [deep, '{"__proto__":{"polluted":true}}']) {
      expect(json.decode(body(Buffer.from(text)))).toEqual(Buffer.from(text));
    }
  });

  it('works with codecs that take their time, and needs to know their number', async () => {
    const slow: Codec = {
      name: 'slow',
      id: 5,
      encode: async (payload) => ({ data: String(payload), codec: 5, compression: 0 }),
      decode: async ({ data, codec }) => {
        if (codec !== 5 || data.length === 0) throw new Error('not mine');
        return String(data);
      },
    };
    const codec = new GoCodec(slow, { maxBytes });
    expect(await codec.decode(body(await encoded(codec, 'a text')))).toBe('a text');
    expect(await codec.decode(body(Buffer.of()))).toEqual(Buffer.of());
    expect(() => new GoCodec(new GzipCodec(new JsonCodec()), { maxBytes })).toThrow(
      code('DISCO_CONFIGURATION'),
    );
  });

  it('refuses a codec that compresses by itself', async () => {
    const inner = new GzipCodec(new JsonCodec(), { threshold: 0 });
    const compressing: Codec = {
      ...inner,
      name: 'x',
      id: 0,
      encode: (p) => inner.encode(p),
      decode: (b) => b,
    };
    await expect(encoded(new GoCodec(compressing, { maxBytes }), 'a'.repeat(1_000))).rejects.toThrow(
      code('DISCO_CODEC'),
    );
  });
});
