import { CodecError } from '../errors/message.errors.js';
import { type Codec, Compression, type EncodedBody } from './codec.js';

/** The number of raw bytes in a frame. */
export const RAW_CODEC_ID = 1;

/** Bytes as they are: takes a Uint8Array or Buffer, and gives a Buffer of the receiver's own. */
export class RawCodec implements Codec {
  readonly name = 'raw';
  readonly id = RAW_CODEC_ID;

  encode(payload: unknown): EncodedBody {
    if (!(payload instanceof Uint8Array)) throw new CodecError('The raw codec takes a Uint8Array');
    return { data: payload, codec: RAW_CODEC_ID, compression: Compression.none };
  }

  decode({ data, owned }: EncodedBody): Buffer {
    if (!owned || typeof data === 'string') return Buffer.from(data as Uint8Array);
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
}
