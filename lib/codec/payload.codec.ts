import { types } from 'node:util';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { CodecError } from '../errors/message.errors.js';
import type { Codec, EncodedBody, EncodingBody } from './codec.js';
import { RAW_CODEC_ID, RawCodec } from './raw.codec.js';

/**
 * The codec of a bus: bytes travel raw, everything else through `codec`; a receiver goes by the number in the frame, so
 * that one topic may carry both. What `codec` throws while it writes, and what it writes that is no body, is a CodecError.
 */
export class PayloadCodec implements Codec {
  readonly name: string;
  private readonly raw = new RawCodec();

  constructor(private readonly codec: Codec) {
    this.name = codec.name;
  }

  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    if (payload instanceof Uint8Array) return this.raw.encode(payload);
    let body: EncodedBody | EncodingBody;
    try {
      body = this.codec.encode(payload);
    } catch (error) {
      return rethrowAsCodecError(error);
    }
    if (!types.isPromise(body)) return checked(body);
    const { plainBytes } = body as EncodingBody;
    return Object.assign(body.then(checked, rethrowAsCodecError), { plainBytes });
  }

  decode(body: EncodedBody): unknown {
    if (body.codec === RAW_CODEC_ID) return this.raw.decode(body);
    if (typeof body.data !== 'string' || this.codec.readsText) return this.codec.decode(body);
    return this.codec.decode({ ...body, data: Buffer.from(body.data) });
  }
}

const LARGEST_CODEC = 7;
const LARGEST_COMPRESSION = 3;

/** What a codec of a caller's own has written. Throws CodecError for what no frame can hold. */
function checked(body: EncodedBody): EncodedBody {
  const { data, codec, compression } = Object(body) as Partial<EncodedBody>;
  const isData = typeof data === 'string' || data instanceof Uint8Array;
  if (isData && isUpTo(codec, LARGEST_CODEC) && isUpTo(compression, LARGEST_COMPRESSION)) return body;
  throw new CodecError(
    'The codec wrote no body: that is text or bytes, and the numbers of codec and compression',
  );
}

function isUpTo(number: unknown, largest: number): boolean {
  return Number.isInteger(number) && (number as number) >= 0 && (number as number) <= largest;
}

function rethrowAsCodecError(error: unknown): never {
  throw isDiscoBusError(error)
    ? error
    : new CodecError('The codec failed to write the payload', { cause: error });
}
