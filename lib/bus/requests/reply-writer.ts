import { types } from 'node:util';
import type { PublishListener } from '../../bundling/bundle-lane.js';
import type { EncodedBody } from '../../codec/codec.js';
import type { DriverReceipt } from '../../driver/driver.js';
import type { Headers } from '../../message/headers.js';
import type { DirectChannel } from './direct-channel.js';
import { failureOf } from './reply-stream.js';
import {
  REPLY_KIND_HEADER,
  REPLY_SEQUENCE_HEADER,
  RESPONDER_HEADER,
  type ReplyKind,
  type RequestEnvelope,
  random128,
} from './request-headers.js';

/** Who is told how the replies of a {@link ReplyWriter} fared. */
export interface ReplyWriterHost {
  /** The server found nobody at the inbox. */
  onGone(): void;
  /** A reply could not be written, and the requester was told so instead. */
  onUnwritable(): void;
  /** A reply could not be sent. */
  onUnsent(error: unknown): void;
  /** What was written so far is accepted or has failed. */
  onFlushed(): void;
}

/** Sends the replies of one responder to one request, in the order given. */
export class ReplyWriter implements PublishListener {
  private sequence = 0;
  private encoding: Promise<void> | undefined;
  private unsent = 0;
  /** Tells these replies from others to the same request: named with the first that is not the only one. */
  private responder: string | undefined;
  /** Headers of values, beside the bus's own. */
  headers: Readonly<Record<string, string>> | undefined;

  constructor(
    private readonly channel: DirectChannel,
    private readonly request: RequestEnvelope,
    private readonly host: ReplyWriterHost,
  ) {}

  /** Whether nothing is on its way. */
  get flushed(): boolean {
    return this.unsent === 0;
  }

  /**
   * Never throws: what the codec refuses becomes an error reply. Of a failure's details that it refuses, their name,
   * message and code are sent.
   */
  write(kind: ReplyKind, payload: unknown): void {
    this.unsent++;
    const refused = (error: unknown) => this.refuse(kind === 'error' ? payload : error);
    if (this.encoding) {
      this.queue(
        this.encoding.then(() => this.channel.encode(payload)),
        kind,
        refused,
      );
      return;
    }
    let body: EncodedBody | Promise<EncodedBody>;
    try {
      body = this.channel.encode(payload);
    } catch (error) {
      refused(error);
      return;
    }
    if (types.isPromise(body)) this.queue(body, kind, refused);
    else this.send(kind, body);
  }

  accepted({ receivers }: DriverReceipt): void {
    if (receivers === 0) this.host.onGone();
    this.settled();
  }

  failed(error: unknown): void {
    this.host.onUnsent(error);
    this.settled();
  }

  private queue(body: Promise<EncodedBody>, kind: ReplyKind, refused: (error: unknown) => void): void {
    const encoding = body
      .then((encoded) => this.send(kind, encoded), refused)
      .then(() => {
        if (this.encoding === encoding) this.encoding = undefined;
      });
    this.encoding = encoding;
  }

  private refuse(failure: unknown): void {
    this.host.onUnwritable();
    const encoding = (async () => this.channel.encode(failureOf(failure)))();
    encoding.then(
      (body) => this.send('error', body),
      (unsent: unknown) => this.failed(unsent),
    );
  }

  private send(kind: ReplyKind, body: EncodedBody): void {
    this.channel.send(this.request.replyTopic, this.headersOf(kind), body, this, this.request.id);
    this.sequence++;
  }

  /** A responder's only reply needs no number, nor a name to number it by. */
  private headersOf(kind: ReplyKind): Headers {
    const only = this.sequence === 0 && kind !== 'value';
    const headers = only ? onlyReply[kind] : this.numbered(kind);
    return this.headers && kind !== 'error' ? { ...this.headers, ...headers } : headers;
  }

  private numbered(kind: ReplyKind): Headers {
    this.responder ??= random128();
    return {
      [REPLY_KIND_HEADER]: kind,
      [REPLY_SEQUENCE_HEADER]: String(this.sequence),
      [RESPONDER_HEADER]: this.responder,
    };
  }

  private settled(): void {
    if (--this.unsent === 0) this.host.onFlushed();
  }
}

const onlyReply: Readonly<Record<ReplyKind, Headers>> = {
  value: { [REPLY_KIND_HEADER]: 'value' },
  last: { [REPLY_KIND_HEADER]: 'last' },
  end: { [REPLY_KIND_HEADER]: 'end' },
  error: { [REPLY_KIND_HEADER]: 'error' },
  gone: { [REPLY_KIND_HEADER]: 'gone' },
};
