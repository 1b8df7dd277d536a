import type { EncodedFrame, OutgoingFrame } from '../message/outgoing-frame.js';
import type { DiscoDriver, DriverPublishOptions, DriverReceipt } from './driver.js';

/** How a message is to be published; its id is its own. */
export type MessagePublishOptions = Omit<DriverPublishOptions, 'id'>;

/** Who waits for a message to be accepted. One of the two is called, once. */
export interface PublishListener {
  /** `part` is the message's place in the bundle that it travelled in; undefined when it travelled alone. */
  accepted(receipt: DriverReceipt, part: number | undefined): void;
  /** With what a driver's `publish` rejects with. */
  failed(error: unknown): void;
}

/** A driver that is given messages before they are encoded, so that it can join them as it sees fit. */
export interface MessageDriver extends DiscoDriver {
  /** Publishes `message` and tells `listener` of the outcome, never before it returns. Does not throw. */
  send(
    topic: string,
    message: OutgoingFrame | EncodedFrame,
    options: MessagePublishOptions,
    listener: PublishListener,
  ): void;
}
