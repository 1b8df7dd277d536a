import type { Codec } from '../../codec/codec.js';
import type { WireName } from '../../contract/topic-options.js';
import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { Delivery } from '../../driver/delivery.js';
import type { DecodedFrame } from '../../message/frame.js';
import type { EncodedFrame, OutgoingFrame } from '../../message/outgoing-frame.js';
import type { PublishOptions } from '../options/bus-options.js';
import type { MessageReader } from './message-decoder.js';

/** A copy of `bytes` that shares its memory with nothing else. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

/** Writes messages as frames and reads them back; one for each kind, chosen once for each topic. */
export interface Wire {
  readonly name: WireName;
  /** Writes payloads that are published so. */
  codecFor(delivery: DeliveryGuarantee): Codec;
  /** Reads messages from what `open` gives. */
  readonly reader: MessageReader;
  /** Whether topics are used by their bare names, each message alone. */
  readonly bare: boolean;
  /** What the driver is given for a message whose body `codec` has made. */
  outgoing(message: OutgoingFrame): OutgoingFrame | EncodedFrame;
  /** The frame of a message that came. Throws CodecError. */
  open(delivery: Delivery): DecodedFrame;
  /** A copy of a frame that came, which keeps no other memory alive; it is still the same message. */
  copy(frame: Uint8Array): Uint8Array;
  /** Throws ConfigurationError for options of a publish that would not arrive. */
  assertCarries(topic: string, options: PublishOptions): void;
}
