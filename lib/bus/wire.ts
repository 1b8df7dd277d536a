import type { Codec } from '../codec/codec.js';
import type { Frame } from '../message/frame.js';
import type { PublishOptions, WireName } from './bus-options.js';
import type { MessageReader } from './message-decoder.js';

/** Writes messages as frames and reads them back; one for each kind, chosen once for each topic. */
export interface Wire extends MessageReader {
  readonly name: WireName;
  /** Writes payloads. */
  readonly codec: Codec;
  /** Whether topics are used by their bare names, each message alone. */
  readonly bare: boolean;
  /** The bytes of a message whose body `codec` has made. */
  frame(message: Frame): Uint8Array;
  /** Throws ConfigurationError for options of a publish that would not arrive. */
  assertCarries(topic: string, options: PublishOptions): void;
}
