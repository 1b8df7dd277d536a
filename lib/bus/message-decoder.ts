import { types } from 'node:util';
import type { Codec } from '../codec/codec.js';
import { CodecError } from '../errors/message.errors.js';
import { decodeFrame, type Frame } from '../message/frame.js';
import type { Message } from '../message/message.js';

/** Reads messages from frames. */
export interface MessageReader {
  /** The message, or a promise of it where the codec takes its time. Throws or rejects with CodecError. */
  decode(topic: string, bytes: Uint8Array): Message | Promise<Message>;
}

/** Total: any bytes give a message or a {@link CodecError}. */
export class MessageDecoder implements MessageReader {
  constructor(
    private readonly codec: Codec,
    private readonly maxBytes: number,
  ) {}

  decode(topic: string, bytes: Uint8Array): Message | Promise<Message> {
    const frame = decodeFrame(bytes);
    if (frame.body.length > this.maxBytes) {
      throw new CodecError(`The body has ${frame.body.length} bytes; the limit is ${this.maxBytes}`);
    }
    const payload = this.payload(frame);
    if (types.isPromise(payload)) {
      return payload.then((settled) => toMessage(topic, frame, settled), rethrowAsCodecError);
    }
    return toMessage(topic, frame, payload);
  }

  private payload(frame: Frame): unknown {
    try {
      return this.codec.decode({ data: frame.body, codec: frame.codec, compression: frame.compression });
    } catch (error) {
      return rethrowAsCodecError(error);
    }
  }
}

function toMessage(topic: string, { id, headers, timestamp }: Frame, payload: unknown): Message {
  return { id, topic, headers, payload, timestamp };
}

function rethrowAsCodecError(error: unknown): never {
  throw error instanceof CodecError
    ? error
    : new CodecError('The codec failed to read the body', { cause: error });
}
