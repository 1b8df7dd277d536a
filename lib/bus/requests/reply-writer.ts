import { types } from 'node:util';
import type { EncodedBody } from '../../codec/codec.js';
import type { DriverReceipt } from '../../driver/driver.js';
import type { DirectChannel } from './direct-channel.js';
import { failureOf } from './reply-stream.js';
import {
  inboxTopic,
  REPLY_KIND_HEADER,
  REPLY_SEQUENCE_HEADER,
  REQUEST_ID_HEADER,
  RESPONDER_HEADER,
  type ReplyKind,
  type RequestEnvelope,
} from './request-headers.js';

/** Sends the replies of one responder to one request, in the order given. */
export class ReplyWriter {
  private sequence = 0;
  private encoding: Promise<void> | undefined;
  private unsent = 0;
  private idleWaiter: (() => void) | undefined;
  private readonly topic: string;
  /** Headers of values, beside the bus's own. */
  headers: Readonly<Record<string, string>> = {};

  constructor(
    private readonly channel: DirectChannel,
    private readonly request: RequestEnvelope,
    private readonly responder: string,
    private readonly on: {
      /** The server found nobody at the inbox. */
      gone(): void;
      /** A reply could not be written, and the requester was told so instead. */
      unwritable(): void;
      /** A reply could not be sent. */
      unsent(error: unknown): void;
    },
  ) {
    this.topic = inboxTopic(request.replyTo);
  }

  /** Never throws: what the codec refuses becomes an error reply. */
  write(kind: ReplyKind, payload: unknown): void {
    this.unsent++;
    if (this.encoding) {
      this.queue(
        this.encoding.then(() => this.channel.encode(payload)),
        kind,
      );
      return;
    }
    let body: EncodedBody | Promise<EncodedBody>;
    try {
      body = this.channel.encode(payload);
    } catch (error) {
      this.refuse(error);
      return;
    }
    if (types.isPromise(body)) this.queue(body, kind);
    else this.send(kind, body);
  }

  /** Resolves when every reply was accepted or has failed. */
  flushed(): Promise<void> {
    if (this.unsent === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.idleWaiter = resolve;
    });
  }

  private queue(body: Promise<EncodedBody>, kind: ReplyKind): void {
    const encoding = body
      .then(
        (encoded) => this.send(kind, encoded),
        (error: unknown) => this.refuse(error),
      )
      .then(() => {
        if (this.encoding === encoding) this.encoding = undefined;
      });
    this.encoding = encoding;
  }

  private refuse(error: unknown): void {
    this.on.unwritable();
    Promise.resolve(this.channel.encode(failureOf(error))).then(
      (body) => this.send('error', body),
      (unsent: unknown) => {
        this.on.unsent(unsent);
        this.settled();
      },
    );
  }

  private send(kind: ReplyKind, body: EncodedBody): void {
    const headers: Record<string, string> = Object.create(null);
    if (kind !== 'error') Object.assign(headers, this.headers);
    headers[REQUEST_ID_HEADER] = this.request.id;
    headers[REPLY_KIND_HEADER] = kind;
    headers[REPLY_SEQUENCE_HEADER] = String(this.sequence++);
    headers[RESPONDER_HEADER] = this.responder;
    this.channel.send(this.topic, headers, body).then(
      ({ receivers }: DriverReceipt) => {
        if (receivers === 0) this.on.gone();
        this.settled();
      },
      (error: unknown) => {
        this.on.unsent(error);
        this.settled();
      },
    );
  }

  private settled(): void {
    if (--this.unsent === 0) this.idleWaiter?.();
  }
}
