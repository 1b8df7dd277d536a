import { type Codec, Compression } from '../../codec/codec.js';
import { RAW_CODEC_ID } from '../../codec/raw.codec.js';
import type { Delivery } from '../../driver/delivery.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import type { DecodedFrame } from '../../message/frame.js';
import { noHeaders } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { messageIds } from '../../message/message-id.js';
import { EncodedFrame, type OutgoingFrame } from '../../message/outgoing-frame.js';
import type { Clock } from '../../timing/clock.js';
import type { PublishOptions } from '../options/bus-options.js';
import { MessageDecoder } from './message-decoder.js';
import { copyOf, type Wire } from './wire.js';

/** Publish options that need a place in the message, or a server that keeps it. */
const notCarried = ['id', 'key', 'delay', 'at', 'ttl'] as const;

/** What a message is given where it arrives. */
type Stamp = Pick<Message, 'id' | 'timestamp'>;

/**
 * Messages of the Go library Disco Bus: a payload, and nothing else. Their id and time are made here, where they
 * arrive, and headers do not travel.
 */
export class GoWire implements Wire {
  readonly name = 'go';
  readonly bare = true;
  readonly reader: MessageDecoder;
  private readonly nextId = messageIds();
  /** By the bytes that arrived: handlers of one process see one message, also when they are tried again. */
  private readonly stamps = new WeakMap<Uint8Array, Stamp>();

  constructor(
    private readonly codec: Codec,
    private readonly clock: Clock,
  ) {
    // The codec keeps the limit: what arrives is compressed, and counts as what it inflates to.
    this.reader = new MessageDecoder(codec, Number.POSITIVE_INFINITY);
  }

  codecFor(): Codec {
    return this.codec;
  }

  outgoing({ body, id }: OutgoingFrame): EncodedFrame {
    return new EncodedFrame(body as Uint8Array, id);
  }

  open({ frame }: Delivery): DecodedFrame {
    return {
      ...this.stampOf(frame),
      headers: noHeaders,
      codec: RAW_CODEC_ID,
      compression: Compression.gzip,
      body: frame,
      bodyBytes: frame.length,
      bodyOwned: false,
    };
  }

  copy(frame: Uint8Array): Uint8Array {
    const copy = copyOf(frame);
    this.stamps.set(copy, this.stampOf(frame));
    return copy;
  }

  assertCarries(topic: string, options: PublishOptions): void {
    if (options.headers !== undefined && Object.keys(options.headers).length > 0) {
      throw new ConfigurationError(
        `"${topic}" is on the Go wire: no headers travel there, and so no requests`,
      );
    }
    const lost = notCarried.find((option) => options[option] !== undefined);
    if (lost === undefined) return;
    throw new ConfigurationError(`"${topic}" is on the Go wire, which has no place for the option ${lost}`);
  }

  private stampOf(bytes: Uint8Array): Stamp {
    let stamp = this.stamps.get(bytes);
    if (stamp === undefined) {
      stamp = { id: this.nextId(), timestamp: this.clock.now() };
      this.stamps.set(bytes, stamp);
    }
    return stamp;
  }
}
