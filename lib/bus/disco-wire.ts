import type { Codec } from '../codec/codec.js';
import { encodeFrame } from '../message/frame.js';
import type { Message } from '../message/message.js';
import { MessageDecoder } from './message-decoder.js';
import type { Wire } from './wire.js';

/** Disco frames: carry everything. */
export class DiscoWire implements Wire {
  readonly name = 'disco';
  readonly bare = false;
  readonly frame = encodeFrame;
  private readonly decoder: MessageDecoder;

  constructor(
    readonly codec: Codec,
    maxMessageBytes: number,
  ) {
    this.decoder = new MessageDecoder(codec, maxMessageBytes);
  }

  decode(topic: string, bytes: Uint8Array): Message | Promise<Message> {
    return this.decoder.decode(topic, bytes);
  }

  assertCarries(): void {}
}
