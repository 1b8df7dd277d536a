import { AbortedError } from '../../errors/bus.errors.js';
import { isDiscoBusError } from '../../errors/disco-bus-error.js';
import { callGuest } from '../../errors/guest.js';
import { RequestTimeoutError } from '../../errors/request.errors.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { type Handler, isThenable } from '../../middleware/middleware.js';
import { type DeadlineWheel, type Wheeled } from '../../timing/deadline-wheel.js';
import { MAX_DURATION_MS } from '../../timing/duration.js';
import type { Linked } from '../../timing/ring.js';
import { DeliveryContext } from '../delivery-context.js';
import type { DirectChannel } from './direct-channel.js';
import {
  failureOf,
  isAsyncIterable,
  isReplyStream,
  type ReplySink,
  type ReplyStream,
  replyStreamOf,
  type StopReplies,
} from './reply-stream.js';
import { ReplyWriter, type ReplyWriterHost } from './reply-writer.js';
import type { ReplyKind, RequestEnvelope } from './request-headers.js';

/** What answers have in common. */
export interface AnswerHost {
  readonly channel: DirectChannel;
  /** Holds the answers that are under way, each until nothing is left to be called off. */
  readonly deadlines: DeadlineWheel<Answer>;
  onUnsent(topic: string, error: unknown): void;
}

/** One request being answered by one handler, from its start until the last reply is sent or nobody waits any more. */
export class Answer implements ReplySink, ReplyWriterHost, Wheeled {
  older: Linked | undefined = undefined;
  newer: Linked | undefined = undefined;
  private readonly writer: ReplyWriter;
  private ended = false;
  /** The handler runs on though its time is up. */
  private outlasts = false;
  private waitMs = 0;
  private stop: StopReplies | undefined;
  private settle!: () => void;
  private readonly settled = new Promise<void>((resolve) => {
    this.settle = resolve;
  });

  constructor(
    readonly request: RequestEnvelope,
    private readonly context: DiscoMessageContext,
    private readonly host: AnswerHost,
  ) {
    this.writer = new ReplyWriter(host.channel, request, this);
  }

  /**
   * Calls the handler; resolves when the request is answered or given up, and, if the handler's time was up before, the
   * attempt has ended. Never rejects.
   */
  run(handler: Handler, leftMs: number): Promise<void> {
    this.wait(leftMs);
    if (this.context instanceof DeliveryContext) this.context.onAbort = this;
    try {
      const result = handler(this.context);
      if (isThenable(result)) result.then(this.returned, this.threw);
      else this.answer(result);
    } catch (error) {
      this.fail(failureOf(error));
    }
    return this.settled;
  }

  value(payload: unknown): void {
    if (this.ended) return;
    this.host.deadlines.delete(this);
    this.wait(this.silenceMs());
    this.writer.write('value', payload);
  }

  last(payload: unknown): void {
    this.finish('last', payload);
  }

  end(): void {
    this.finish('end', null);
  }

  fail(details: unknown): void {
    this.finish('error', details);
  }

  leave(): void {
    this.close();
  }

  /** The requester does not wait any more. */
  callOff(): void {
    this.abort(new AbortedError('The request was called off'));
  }

  /** Ends it for the responder's own reasons, and tells the requester; resolves when that is sent. */
  giveUp(reason: Error): Promise<void> {
    this.fail(failureOf(reason));
    this.halt(reason);
    return this.settled;
  }

  expired(): void {
    this.abort(new RequestTimeoutError(this.context.topic, this.waitMs));
  }

  onGone(): void {
    this.abort(new AbortedError('The requester has gone'));
  }

  onUnwritable(): void {
    this.abort(new AbortedError('A reply could not be written'));
  }

  onUnsent(error: unknown): void {
    this.host.onUnsent(this.context.topic, error);
  }

  onFlushed(): void {
    if (this.ended && !this.outlasts) this.settle();
  }

  /** The handler's time is up: its requester is told now, its place is free when it ends. */
  aborted(reason: Error): void {
    if (this.ended || !isDiscoBusError(reason, 'DISCO_HANDLER_TIMEOUT')) return;
    this.outlasts = true;
    this.fail(failureOf(reason));
  }

  private readonly returned = (value: unknown): void => {
    this.attemptEnded();
    this.answer(value);
  };

  private readonly threw = (error: unknown): void => {
    this.attemptEnded();
    this.fail(failureOf(error));
  };

  private attemptEnded(): void {
    if (!this.outlasts) return;
    this.outlasts = false;
    if (this.ended && this.writer.flushed) this.settle();
  }

  /** What a handler returned may itself throw when it is looked at or started: then the handler has failed. */
  private answer(value: unknown): void {
    try {
      this.begin(value);
    } catch (error) {
      this.fail(failureOf(error));
    }
  }

  /** `undefined` is no answer: the handler of an ordinary subscription may leave it to another one. */
  private begin(value: unknown): void {
    if (isReplyStream(value)) this.stream(value);
    else if (isAsyncIterable(value)) this.stream(replyStreamOf(value));
    else if (value === undefined) this.close();
    else this.last(value);
  }

  private stream(replies: ReplyStream): void {
    if (this.ended) return;
    this.writer.headers = replies.headers;
    const stop = replies.start(this);
    if (this.ended) this.stopReplies(stop);
    else this.stop = stop;
  }

  private stopReplies(stop: StopReplies | undefined): void {
    if (stop) callGuest(stop, 'The end of a stream of replies', stop);
  }

  private finish(kind: ReplyKind, payload: unknown): void {
    if (this.ended) return;
    this.writer.write(kind, payload);
    this.close();
  }

  /** Nothing more is sent: whoever would read it has gone. */
  private abort(reason: Error): void {
    if (this.ended) return;
    this.close();
    this.halt(reason);
  }

  private halt(reason: Error): void {
    this.context.abort(reason);
    this.stopReplies(this.stop);
    this.stop = undefined;
  }

  private close(): void {
    if (this.ended) return;
    this.ended = true;
    this.host.deadlines.delete(this);
    if (this.writer.flushed && !this.outlasts) this.settle();
  }

  /** A requester waits as long for each further reply as for the first one, and then calls the whole off. */
  private silenceMs(): number {
    return Math.min(Math.max(1, this.request.timeoutMs), MAX_DURATION_MS);
  }

  private wait(delayMs: number): void {
    this.waitMs = delayMs;
    this.host.deadlines.add(this, delayMs);
  }
}
