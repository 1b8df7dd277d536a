import { types } from 'node:util';
import type { Codec, EncodedBody } from '../../codec/codec.js';
import type { Delivery } from '../../driver/delivery.js';
import type { DiscoDriver, DriverReceipt, DriverSubscription } from '../../driver/driver.js';
import { MessageTooLargeError } from '../../errors/message.errors.js';
import { encodeFrame } from '../../message/frame.js';
import type { Headers } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { messageIds } from '../../message/message-id.js';
import type { Clock } from '../../timing/clock.js';
import type { MessageDecoder } from '../message-decoder.js';

/** What a {@link DirectChannel} is made of. */
export interface DirectChannelParts {
  readonly driver: DiscoDriver;
  readonly codec: Codec;
  readonly decoder: MessageDecoder;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly publishTimeoutMs: number;
}

/** Whoever sends through a {@link DirectChannel}. One of the two is called, once. */
export interface Sender {
  accepted(receipt: DriverReceipt): void;
  failed(error: unknown): void;
}

interface Sending {
  readonly receipt: Promise<DriverReceipt>;
  readonly senders: Sender[];
}

/**
 * Messages at most once on the bus's own reserved topics, past the checks that keep callers out of them: replies, and
 * what calls requests off.
 */
export class DirectChannel {
  private readonly nextId = messageIds();
  /** By topic, the messages whose fate the driver has not told yet; those of one bundle share one promise. */
  private readonly sending = new Map<string, Sending>();

  constructor(private readonly parts: DirectChannelParts) {}

  /** The payload's bytes, or a promise of them. Throws or rejects with CodecError or MessageTooLargeError. */
  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    const body = this.parts.codec.encode(payload);
    return types.isPromise(body) ? body.then((encoded) => this.checked(encoded)) : this.checked(body);
  }

  /** Hands a message to the driver; `sender` is told what became of it. `id`: @default one of the channel's own. */
  send(
    topic: string,
    headers: Headers,
    { data, codec, compression }: EncodedBody,
    sender: Sender,
    id: string = this.nextId(),
  ): void {
    const { driver, clock, publishTimeoutMs } = this.parts;
    const frame = encodeFrame({ id, timestamp: clock.now(), headers, codec, compression, body: data });
    const receipt = driver.publish(topic, frame, {
      delivery: 'at-most-once',
      id,
      timeoutMs: publishTimeoutMs,
    });
    const known = this.sending.get(topic);
    if (known?.receipt === receipt) known.senders.push(sender);
    else this.begin(topic, receipt, sender);
  }

  /** Resolves when it is live. What cannot be read is told to `onUnreadable`. */
  subscribe(
    topic: string,
    onMessage: (message: Message) => void,
    onUnreadable: () => void,
  ): Promise<DriverSubscription> {
    const options = { delivery: 'at-most-once', group: 'direct', maxInFlight: 1, startFrom: 'new' } as const;
    return this.parts.driver.subscribe(topic, options, (delivery) =>
      this.receive(delivery, onMessage, onUnreadable),
    );
  }

  private begin(topic: string, sent: Promise<DriverReceipt>, first: Sender): void {
    const senders = [first];
    const sending = { receipt: sent, senders };
    this.sending.set(topic, sending);
    const end = () => {
      if (this.sending.get(topic) === sending) this.sending.delete(topic);
    };
    sent.then(
      (receipt) => {
        end();
        for (const sender of senders) sender.accepted(receipt);
      },
      (error: unknown) => {
        end();
        for (const sender of senders) sender.failed(error);
      },
    );
  }

  private receive(
    { topic, frame }: Delivery,
    onMessage: (message: Message) => void,
    onUnreadable: () => void,
  ): void {
    let message: Message | Promise<Message>;
    try {
      message = this.parts.decoder.decode(topic, frame);
    } catch {
      onUnreadable();
      return;
    }
    if (types.isPromise(message)) message.then(onMessage, onUnreadable);
    else onMessage(message);
  }

  private checked(body: EncodedBody): EncodedBody {
    const { maxMessageBytes } = this.parts;
    const bytes = typeof body.data === 'string' ? Buffer.byteLength(body.data) : body.data.byteLength;
    if (bytes > maxMessageBytes) throw new MessageTooLargeError(bytes, maxMessageBytes);
    return body;
  }
}
