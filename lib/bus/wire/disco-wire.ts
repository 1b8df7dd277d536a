import type { Codec } from '../../codec/codec.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { Delivery } from '../../driver/delivery.js';
import { type DecodedFrame, decodeFrame } from '../../message/frame.js';
import type { OutgoingFrame } from '../../message/outgoing-frame.js';
import { MessageDecoder } from './message-decoder.js';
import { copyOf, type Wire } from './wire.js';

/** Disco frames: carry everything, and are encoded together by the driver. */
export class DiscoWire implements Wire {
  readonly name = 'disco';
  readonly bare = false;
  readonly reader: MessageDecoder;

  /** `codecs`: what each guarantee writes with; both read what either has written. */
  constructor(
    private readonly codecs: Readonly<Record<DeliveryGuarantee, Codec>>,
    maxMessageBytes: number,
  ) {
    this.reader = new MessageDecoder(codecs['at-least-once'], maxMessageBytes);
  }

  codecFor(delivery: DeliveryGuarantee): Codec {
    return this.codecs[delivery];
  }

  outgoing(message: OutgoingFrame): OutgoingFrame {
    return message;
  }

  open(delivery: Delivery): DecodedFrame {
    return delivery.decoded ?? decodeFrame(delivery.frame);
  }

  copy(frame: Uint8Array): Uint8Array {
    return copyOf(frame);
  }

  assertCarries(): void {}
}
