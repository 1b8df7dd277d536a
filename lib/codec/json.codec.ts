import { isUtf8 } from 'node:buffer';
import { CodecError } from '../errors/message.errors.js';
import { type Codec, Compression, type EncodedBody } from './codec.js';
import { assertNoProto, assertShallow, maySpellProto, spellsProto } from './hostile-json.js';
import { assertJsonContent } from './json-content.js';

/** The number of JSON in a frame. */
export const JSON_CODEC_ID = 0;

/**
 * JSON in UTF-8. Refuses with {@link CodecError}: nesting deeper than 64 levels and the key `__proto__`, on both sides
 * alike; on reading, text that is not JSON and bytes that are not UTF-8; on writing, cycles and every value that a reader
 * would not find again, wherever it stands in the payload: NaN, infinities, bigint, functions, symbols, invalid dates,
 * `undefined` and holes in arrays, promises, and objects whose content is not in their properties (Map, Set, Error,
 * RegExp, typed arrays …). The error names the value's `path`. What `toJSON` returns stands for its object; a property
 * that is `undefined` is left out.
 */
export class JsonCodec implements Codec {
  readonly name = 'json';
  readonly id = JSON_CODEC_ID;
  readonly readsText = true;

  encode(payload: unknown): EncodedBody {
    const data = stringify(payload);
    if (spellsProto(data)) assertNoProto(JSON.parse(data));
    return { data, codec: JSON_CODEC_ID, compression: Compression.none };
  }

  decode({ data, codec }: EncodedBody): unknown {
    if (codec !== JSON_CODEC_ID)
      throw new CodecError(`The body was made by an unknown codec, number ${codec}`);
    const text = typeof data === 'string' ? data : utf8(data);
    assertShallow(text);
    const value = parse(text);
    if (maySpellProto(text)) assertNoProto(value);
    return value;
  }
}

function stringify(payload: unknown): string {
  let text: string | undefined;
  let shallow: boolean;
  try {
    shallow = assertJsonContent(payload);
    text = JSON.stringify(payload);
  } catch (error) {
    if (error instanceof CodecError) throw error;
    throw new CodecError('The payload cannot be written as JSON', { cause: error });
  }
  if (text === undefined)
    throw new CodecError(`A payload of type ${typeof payload} cannot be written as JSON`);
  if (!shallow) assertShallow(text);
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // V8's own text quotes the input, and an error must not carry a payload.
    throw new CodecError('The body is not JSON', {
      cause: new SyntaxError('Unexpected token or end of JSON input'),
    });
  }
}

function utf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new CodecError('The body is not UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
