import { type Codec } from '../../lib/codec/codec.js';
import { GoCodec } from '../../lib/codec/go.codec.js';
import { GzipCodec } from '../../lib/codec/gzip.codec.js';
import { JsonCodec } from '../../lib/codec/json.codec.js';
import { PayloadCodec } from '../../lib/codec/payload.codec.js';
import { RawCodec } from '../../lib/codec/raw.codec.js';
import { type CodecHarness, describeCodec, runCodecCase } from '../../lib/testing/contract/codec-contract.js';

const notJson = ['', '{', '{"a":', '"\\u12"', 'nul', '[1,]'].map((text) => ({
  data: Buffer.from(text),
  codec: 0,
  compression: 0,
}));
const refused = [undefined, () => 1, 10n, Number.NaN, [undefined], { deep: [new Map(), new Error('x')] }];
const compression = { maxBytes: 100_000, threshold: 1024 };
const gzip = (inner: Codec) => new GzipCodec(inner, { maxBytes: compression.maxBytes });

describeCodec('json', { createCodec: () => new JsonCodec(), refused, corrupt: notJson });
describeCodec('raw', { createCodec: () => new RawCodec(), values: 'bytes', refused: ['text', {}, null] });
describeCodec('json or raw', { createCodec: () => new PayloadCodec(new JsonCodec()), refused });
describeCodec('json, gzip', {
  createCodec: () => gzip(new PayloadCodec(new JsonCodec())),
  refused,
  corrupt: notJson,
  compression,
});
describeCodec('raw, gzip', {
  createCodec: () => gzip(new PayloadCodec(new JsonCodec())),
  values: 'bytes',
  compression: { ...compression, maxBytes: compression.maxBytes },
});

const goWire = (codec: Codec) => new GoCodec(codec, { maxBytes: 10 * 1024 * 1024 });
describeCodec('json, Go wire', { createCodec: () => goWire(new JsonCodec()), refused });
describeCodec('raw, Go wire', {
  createCodec: () => goWire(new RawCodec()),
  values: 'bytes',
  refused: ['text'],
});

/** A good codec where one method is another. */
function broken(changes: Partial<Codec>): CodecHarness {
  const good = gzip(new JsonCodec());
  const same: Codec = {
    name: 'broken',
    encode: (payload) => good.encode(payload),
    decode: (body) => good.decode(body),
  };
  return { createCodec: () => ({ ...same, ...changes }), refused, corrupt: notJson, compression };
}

const forgiving = (codec: Codec): Partial<Codec> => ({
  decode: async (body) => {
    try {
      return await codec.decode(body);
    } catch {
      return null;
    }
  },
});

describe('the codec contract notices a codec that', () => {
  const cases: Record<string, [string[], CodecHarness]> = {
    'loses a value': [['round-trip', 'own-value'], broken({ decode: () => null })],
    'takes what it cannot carry': [
      ['refused'],
      broken({ encode: (value) => new JsonCodec().encode(value === undefined ? null : String(value)) }),
    ],
    'answers corrupt bodies': [
      ['corrupt', 'damaged', 'inflate-limit', 'unknown-compression'],
      broken(forgiving(gzip(new JsonCodec()))),
    ],
    'compresses everything': [
      ['small'],
      broken({
        encode: (value) => new GzipCodec(new JsonCodec(), { threshold: 0 }).encode('a'.repeat(99) + value),
      }),
    ],
    'never compresses': [['small'], broken({ encode: (value) => new JsonCodec().encode(value) })],
    'has no number of its own': [
      ['flags'],
      broken({ encode: () => ({ data: '', codec: 9, compression: 0 }) }),
    ],
    'keeps the bytes it was given': [
      ['own-value'],
      {
        createCodec: () => ({
          name: 'sharing',
          encode: (value) => new RawCodec().encode(value),
          decode: ({ data }) => data,
        }),
        values: 'bytes',
      },
    ],
  };
  for (const [name, [ids, harness]] of Object.entries(cases)) {
    it.each(ids)(`${name}: %s`, async (id) => {
      await expect(runCodecCase(id, harness)).rejects.toThrow();
    });
  }
});
