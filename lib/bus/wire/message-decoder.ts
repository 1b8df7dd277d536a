import { types } from 'node:util';
import type { Codec } from '../../codec/codec.js';
import { CodecError } from '../../errors/message.errors.js';
import { type DecodedFrame, decodeFrame } from '../../message/frame.js';
import type { Message } from '../../message/message.js';

/** Reads messages in the order they came, also where reading one takes longer than the next. */
export class InOrderDecoder implements MessageReader {
  private last: Promise<unknown> | undefined;

  constructor(private readonly inner: MessageReader) {}

  read(topic: string, frame: DecodedFrame): Message | Promise<Message> {
    const { last } = this;
    const reading = last ? this.eventually(topic, frame) : this.inner.read(topic, frame);
    if (!types.isPromise(reading)) return reading;
    const mine = (last ?? Promise.resolve()).then(() => reading);
    const settled = mine.then(nothing, nothing);
    this.last = settled;
    void settled.then(() => {
      if (this.last === settled) this.last = undefined;
    });
    return mine;
  }

  /** Begins to read at once; a refusal waits for its turn like everything else. */
  private async eventually(topic: string, frame: DecodedFrame): Promise<Message> {
    return this.inner.read(topic, frame);
  }
}

const nothing = () => {};

/** Reads messages from frames. */
export interface MessageReader {
  /** The message, or a promise of it where the codec takes its time. Throws or rejects with CodecError. */
  read(topic: string, frame: DecodedFrame): Message | Promise<Message>;
}

/** Total: any bytes give a message or a {@link CodecError}. */
export class MessageDecoder implements MessageReader {
  constructor(
    private readonly codec: Codec,
    private readonly maxBytes: number,
  ) {}

  /** The message in the bytes of a frame. */
  decode(topic: string, bytes: Uint8Array): Message | Promise<Message> {
    return this.read(topic, decodeFrame(bytes));
  }

  read(topic: string, frame: DecodedFrame): Message | Promise<Message> {
    if (frame.bodyBytes > this.maxBytes) {
      throw new CodecError(`The body has ${frame.bodyBytes} bytes; the limit is ${this.maxBytes}`);
    }
    const payload = this.payload(frame);
    if (types.isPromise(payload)) {
      return payload.then((settled) => toMessage(topic, frame, settled), rethrowAsCodecError);
    }
    return toMessage(topic, frame, payload);
  }

  private payload(frame: DecodedFrame): unknown {
    try {
      const { body: data, codec, compression, bodyOwned: owned } = frame;
      return this.codec.decode({ data, codec, compression, owned });
    } catch (error) {
      return rethrowAsCodecError(error);
    }
  }
}

function toMessage(topic: string, { id, headers, timestamp }: DecodedFrame, payload: unknown): Message {
  return { id, topic, headers, payload, timestamp };
}

function rethrowAsCodecError(error: unknown): never {
  throw error instanceof CodecError
    ? error
    : new CodecError('The codec failed to read the body', { cause: error });
}
