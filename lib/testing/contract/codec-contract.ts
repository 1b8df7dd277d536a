import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { type Codec, Compression, type EncodedBody } from '../../codec/codec.js';
import { seededRandom } from '../seeded-random.js';
import { type ContractRunner, type ContractTest, globalRunner, registerTests } from './contract-runner.js';
import { expectRejection } from './expect.js';
import { type GeneratedValue, someBytes, someJson } from './generated-values.js';

/** What the codec contract must know of a codec. */
export interface CodecHarness {
  createCodec(): Codec;
  /** What it encodes: anything that JSON can say, or bytes. @default 'json' */
  readonly values?: 'json' | 'bytes' | ((random: () => number) => unknown);
  /** How many generated values make the round trip. @default 300 */
  readonly rounds?: number;
  /** The seed of the generated values. @default 1 */
  readonly seed?: number;
  /** Values that it must refuse with CodecError. @default none */
  readonly refused?: readonly unknown[];
  /** Bodies that it must refuse with CodecError. @default none beside those that the suite makes itself */
  readonly corrupt?: readonly EncodedBody[];
  /** Set for a codec that compresses. Without it those cases are skipped. */
  readonly compression?: {
    /** The most bytes it inflates a body to. */
    readonly maxBytes: number;
    /** Below this many bytes bodies stay as they are. */
    readonly threshold: number;
  };
}

interface CodecCase {
  readonly id: string;
  readonly name: string;
  readonly needs?: 'compression' | 'refused' | 'corrupt';
  run(harness: CodecHarness): Promise<void>;
}

/** What a receiver gets: always bytes. */
function arrived(body: EncodedBody): EncodedBody {
  return { ...body, data: Buffer.from(body.data as string) };
}

function makeValue(harness: CodecHarness, random: () => number): unknown {
  const { values = 'json' } = harness;
  if (typeof values === 'function') return values(random);
  return values === 'json' ? someJson(random) : someBytes(random);
}

/** Bytes or text in a value that both kinds of codec can encode, `length` bytes of it, that compress well. */
function dull(harness: CodecHarness, length: number): GeneratedValue {
  return harness.values === 'bytes' ? new Uint8Array(length) : 'a'.repeat(length);
}

async function compressedBody(harness: CodecHarness, length: number): Promise<EncodedBody> {
  return arrived(await harness.createCodec().encode(dull(harness, length)));
}

async function expectRefusal(codec: Codec, body: EncodedBody, cause: boolean): Promise<void> {
  const decoding = (async () => codec.decode(body))();
  await expectRejection(decoding, 'DISCO_CODEC');
  const error = (await decoding.catch((thrown: unknown) => thrown)) as Error;
  // Not instanceof: a test runner may run the suite in a realm of its own.
  if (cause) assert.equal(typeof (error.cause as Partial<Error>)?.message, 'string', 'the error has a cause');
}

const codecCases: readonly CodecCase[] = [
  {
    id: 'round-trip',
    name: 'what was encoded is decoded to the same value',
    async run(harness) {
      const { rounds = 300, seed = 1 } = harness;
      const codec = harness.createCodec();
      const random = seededRandom(seed);
      for (let round = 0; round < rounds; round++) {
        const value = makeValue(harness, random);
        const decoded = await codec.decode(arrived(await codec.encode(value)));
        assert.deepEqual(plain(decoded), plain(value), `value ${round} of seed ${seed}`);
      }
    },
  },
  {
    id: 'own-value',
    name: 'what is decoded is the receiver’s own: the bytes may be reused',
    async run(harness) {
      const codec = harness.createCodec();
      const value = dull(harness, 5_000);
      const body = arrived(await codec.encode(value));
      const decoded = await codec.decode(body);
      (body.data as Uint8Array).fill(255);
      assert.deepEqual(plain(decoded), plain(value));
    },
  },
  {
    id: 'flags',
    name: 'a body says which codec and which compression made it',
    async run(harness) {
      const { codec, compression } = await harness.createCodec().encode(dull(harness, 10));
      assert.ok(Number.isInteger(codec) && codec >= 0 && codec <= 7, `codec ${codec}`);
      assert.ok(Object.values<number>(Compression).includes(compression), `compression ${compression}`);
    },
  },
  {
    id: 'refused',
    name: 'a value that it cannot carry is a CodecError, not another value',
    needs: 'refused',
    async run(harness) {
      const codec = harness.createCodec();
      for (const value of harness.refused ?? []) {
        await expectRejection((async () => codec.encode(value))(), 'DISCO_CODEC');
      }
    },
  },
  {
    id: 'corrupt',
    name: 'a corrupt body is a CodecError with its cause',
    needs: 'corrupt',
    async run(harness) {
      for (const body of harness.corrupt ?? []) await expectRefusal(harness.createCodec(), body, true);
    },
  },
  {
    id: 'small',
    name: 'a small body stays uncompressed, a large one gets smaller',
    needs: 'compression',
    async run(harness) {
      const { threshold } = harness.compression!;
      const small = await harness.createCodec().encode(dull(harness, Math.max(0, threshold - 10)));
      assert.equal(small.compression, Compression.none);
      const large = await harness.createCodec().encode(dull(harness, threshold * 4 + 1_000));
      assert.notEqual(large.compression, Compression.none);
      assert.ok(Buffer.from(large.data as string).length < threshold * 4 + 1_000);
    },
  },
  {
    id: 'damaged',
    name: 'a compressed body that is cut, changed or followed by anything is a CodecError',
    needs: 'compression',
    async run(harness) {
      const { threshold } = harness.compression!;
      const codec = harness.createCodec();
      const body = await compressedBody(harness, threshold * 4 + 5_000);
      const bytes = Buffer.from(body.data as Uint8Array);
      const refuse = (data: Buffer) => expectRefusal(codec, { ...body, data }, false);
      for (const length of [0, 1, 9, bytes.length - 8, bytes.length - 1]) {
        await refuse(bytes.subarray(0, length));
      }
      await refuse(Buffer.concat([bytes, Buffer.from('more')]));
      await refuse(Buffer.concat([bytes, bytes]));
      const changed = Buffer.from(bytes);
      changed[bytes.length - 6] ^= 1;
      await refuse(changed);
      await expectRefusal(codec, { ...body, data: Buffer.from('not gzip at all') }, true);
    },
  },
  {
    id: 'inflate-limit',
    name: 'a body that inflates beyond the limit is a CodecError; one at the limit is not',
    needs: 'compression',
    async run(harness) {
      const { maxBytes } = harness.compression!;
      const codec = harness.createCodec();
      const { codec: id, compression } = await compressedBody(harness, maxBytes - 2);
      const bomb = { data: gzipSync(Buffer.alloc(maxBytes * 50)), codec: id, compression };
      await expectRefusal(codec, bomb, true);
      const fits = await codec.decode(await compressedBody(harness, maxBytes - 2));
      assert.equal((fits as { length: number }).length, maxBytes - 2);
    },
  },
  {
    id: 'unknown-compression',
    name: 'a compression that it does not know is a CodecError',
    needs: 'compression',
    async run(harness) {
      const body = arrived(await harness.createCodec().encode(dull(harness, 10)));
      await expectRefusal(harness.createCodec(), { ...body, compression: 3 }, false);
    },
  },
];

/** Equality is that of contents: a Buffer equals a Uint8Array, and an object without prototype one with it. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return JSON.parse(JSON.stringify(value));
}

/** Runs one case of the codec contract; rejects when the codec breaks it. `id`: as in the tests' titles. */
export async function runCodecCase(id: string, harness: CodecHarness): Promise<void> {
  const found = codecCases.find((codecCase) => codecCase.id === id);
  if (!found) throw new Error(`The codec contract has no case ${id}`);
  await found.run(harness);
}

/**
 * Registers the codec contract with a test runner.
 *
 * ```ts
 * describeCodec('mine', { createCodec: () => new MyCodec() });
 * ```
 */
export function describeCodec(
  name: string,
  harness: CodecHarness,
  runner: ContractRunner = globalRunner(),
): void {
  const tests = codecCases.map(({ id, name: title, needs, run }): ContractTest => {
    const lacks = needs !== undefined && harness[needs] === undefined ? `no ${needs}` : undefined;
    return { title: `${id} ${title}`, lacks, timeoutMs: 30_000, run: () => run(harness) };
  });
  registerTests(runner, `Codec contract: ${name}`, tests);
}
