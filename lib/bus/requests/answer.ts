import { AbortedError } from '../../errors/bus.errors.js';
import { RequestTimeoutError } from '../../errors/request.errors.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import { type Handler, isThenable } from '../../middleware/middleware.js';
import type { Clock, ClockTimer } from '../../timing/clock.js';
import { MAX_DURATION_MS } from '../../timing/duration.js';
import type { DirectChannel } from './direct-channel.js';
import {
  failureOf,
  isAsyncIterable,
  type ReplySink,
  ReplyStream,
  replyStreamOf,
  type StopReplies,
} from './reply-stream.js';
import { ReplyWriter } from './reply-writer.js';
import type { ReplyKind, RequestEnvelope } from './request-headers.js';

/** What an {@link Answer} is made of. */
export interface AnswerParts {
  readonly context: DiscoMessageContext;
  readonly request: RequestEnvelope;
  readonly channel: DirectChannel;
  readonly clock: Clock;
  readonly responder: string;
  readonly onUnsent: (error: unknown) => void;
  /** Nothing is left to be called off. */
  readonly onEnded: (answer: Answer) => void;
}

/** One request being answered by one handler, from its start until the last reply is sent or nobody waits any more. */
export class Answer implements ReplySink {
  private readonly writer: ReplyWriter;
  private ended = false;
  private timer: ClockTimer | undefined;
  private stop: StopReplies | undefined;
  private settle!: () => void;
  private readonly settled = new Promise<void>((resolve) => {
    this.settle = resolve;
  });

  constructor(private readonly parts: AnswerParts) {
    const { channel, request, responder, onUnsent } = parts;
    this.writer = new ReplyWriter(channel, request, responder, {
      gone: () => this.abort(new AbortedError('The requester has gone')),
      unwritable: () => this.abort(new AbortedError('A reply could not be written')),
      unsent: onUnsent,
    });
  }

  /** Calls the handler; resolves when the request is answered or given up. Never rejects. */
  run(handler: Handler): Promise<void> {
    this.arm(this.parts.request.deadlineMs - this.parts.clock.now());
    let result: unknown;
    try {
      result = handler(this.parts.context);
    } catch (error) {
      this.fail(failureOf(error));
      return this.settled;
    }
    if (isThenable(result)) {
      result.then(
        (value) => this.answer(value),
        (error: unknown) => this.fail(failureOf(error)),
      );
    } else this.answer(result);
    return this.settled;
  }

  value(payload: unknown): void {
    if (this.ended) return;
    this.arm(this.silenceMs());
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

  /** `undefined` is no answer: the handler of an ordinary subscription may leave it to another one. */
  private answer(value: unknown): void {
    if (value instanceof ReplyStream) this.stream(value);
    else if (isAsyncIterable(value)) this.stream(replyStreamOf(value));
    else if (value === undefined) this.close();
    else this.last(value);
  }

  private stream(replies: ReplyStream): void {
    if (this.ended) return;
    this.writer.headers = replies.headers;
    const stop = replies.start(this);
    if (this.ended) stop();
    else this.stop = stop;
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
    this.parts.context.abort(reason);
    this.stop?.();
    this.stop = undefined;
  }

  private close(): void {
    if (this.ended) return;
    this.ended = true;
    this.parts.clock.clearTimeout(this.timer);
    this.parts.onEnded(this);
    void this.writer.flushed().then(this.settle);
  }

  /** A requester waits as long for each further reply as for the first one, and then calls the whole off. */
  private silenceMs(): number {
    const { request, context } = this.parts;
    return Math.min(Math.max(1, request.deadlineMs - context.timestamp), MAX_DURATION_MS);
  }

  private arm(delayMs: number): void {
    const { clock, context } = this.parts;
    clock.clearTimeout(this.timer);
    this.timer = clock.setTimeout(
      () => this.abort(new RequestTimeoutError(context.topic, delayMs)),
      Math.max(1, delayMs),
    );
    (this.timer as { unref?: () => void }).unref?.();
  }
}
