import type { MessagePublishOptions, PublishListener } from '../../bundling/bundle-lane.js';
import type { BundlingDriver } from '../../bundling/bundling-driver.js';
import type { Codec, EncodedBody } from '../../codec/codec.js';
import type { Delivery } from '../../driver/delivery.js';
import type { DriverSubscription } from '../../driver/driver.js';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import { MessageTooLargeError } from '../../errors/message.errors.js';
import { bodyBytes, type DecodedFrame, decodeFrame } from '../../message/frame.js';
import type { Headers } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { messageIds } from '../../message/message-id.js';
import { after } from '../../message/now-or-later.js';
import type { OutgoingFrame } from '../../message/outgoing-frame.js';
import type { Clock } from '../../timing/clock.js';
import type { MessageDecoder } from '../wire/message-decoder.js';

/** A message that came: its envelope, and a body that is not read yet. */
export interface Arrival {
  readonly topic: string;
  readonly frame: DecodedFrame;
  /** Why its body is not to be read. */
  readonly refusal: DiscoBusError | undefined;
}

/** What a {@link DirectChannel} is made of. */
export interface DirectChannelParts {
  readonly driver: BundlingDriver;
  readonly codec: Codec;
  readonly decoder: MessageDecoder;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  readonly publishTimeoutMs: number;
}

/**
 * Messages at most once on the bus's own reserved topics, past the checks that keep callers out of them: replies, and
 * what calls requests off.
 */
export class DirectChannel {
  private readonly nextId = messageIds();
  private options: MessagePublishOptions;

  constructor(private readonly parts: DirectChannelParts) {
    this.options = { delivery: 'at-most-once', timeoutMs: parts.publishTimeoutMs };
  }

  /** The payload's bytes, or a promise of them. Throws or rejects with CodecError or MessageTooLargeError. */
  encode(payload: unknown): EncodedBody | Promise<EncodedBody> {
    return after(this.parts.codec.encode(payload), (body) => this.checked(body));
  }

  /**
   * Hands a message to the driver, which may take `publishTimeoutMs` and no longer than `withinMs`; `sender` is told what
   * became of it. `id`: @default one of the channel's own.
   */
  send(
    topic: string,
    headers: Headers,
    { data: body, codec, compression }: EncodedBody,
    sender: PublishListener,
    id: string = this.nextId(),
    withinMs: number = Number.POSITIVE_INFINITY,
  ): void {
    const { driver, clock } = this.parts;
    const frame: OutgoingFrame = {
      id,
      idPrefix: undefined,
      idNumber: 0,
      timestamp: clock.now(),
      headers,
      codec,
      compression,
      body,
      bodyBytes: bodyBytes(body),
    };
    driver.send(topic, frame, this.optionsFor(withinMs), sender);
  }

  /** Resolves when it is live. What has no envelope is told to `onMalformed`. */
  subscribe(
    topic: string,
    onArrival: (arrival: Arrival) => void,
    onMalformed: () => void,
  ): Promise<DriverSubscription> {
    const options = { delivery: 'at-most-once', group: 'direct', maxInFlight: 1, startFrom: 'new' } as const;
    return this.parts.driver.subscribe(topic, options, (delivery) =>
      this.receive(delivery, onArrival, onMalformed),
    );
  }

  /** The message that came, or a promise of it. Throws or rejects with CodecError or MessageTooLargeError. */
  read({ topic, frame, refusal }: Arrival): Message | Promise<Message> {
    if (refusal) throw refusal;
    return this.parts.decoder.read(topic, frame);
  }

  /** Most are the same as those before. */
  private optionsFor(withinMs: number): MessagePublishOptions {
    const timeoutMs = Math.min(withinMs, this.parts.publishTimeoutMs);
    if (timeoutMs !== this.options.timeoutMs) this.options = { delivery: 'at-most-once', timeoutMs };
    return this.options;
  }

  private receive(
    { topic, frame, decoded, refusal }: Delivery,
    onArrival: (arrival: Arrival) => void,
    onMalformed: () => void,
  ): void {
    let opened: DecodedFrame;
    try {
      opened = decoded ?? decodeFrame(frame);
    } catch {
      onMalformed();
      return;
    }
    onArrival({ topic, frame: opened, refusal });
  }

  private checked(body: EncodedBody): EncodedBody {
    const { maxMessageBytes } = this.parts;
    const bytes = body.plainBytes ?? bodyBytes(body.data);
    if (bytes > maxMessageBytes) throw new MessageTooLargeError(bytes, maxMessageBytes);
    return body;
  }
}
