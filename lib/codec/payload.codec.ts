import type { Codec, EncodedBody } from './codec.js';
import { RAW_CODEC_ID, RawCodec } from './raw.codec.js';

/**
 * The codec of a bus: bytes travel raw, everything else through `codec`; a receiver goes by the number in the frame, so
 * that one topic may carry both.
 */
export class PayloadCodec implements Codec {
  readonly name: string;
  private readonly raw = new RawCodec();

  constructor(private readonly codec: Codec) {
    this.name = codec.name;
  }

  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    return payload instanceof Uint8Array ? this.raw.encode(payload) : this.codec.encode(payload);
  }

  decode(body: EncodedBody): unknown {
    if (body.codec === RAW_CODEC_ID) return this.raw.decode(body);
    if (typeof body.data !== 'string' || this.codec.readsText) return this.codec.decode(body);
    return this.codec.decode({ ...body, data: Buffer.from(body.data) });
  }
}
