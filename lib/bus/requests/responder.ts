import type { Headers } from '../../message/headers.js';
import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Handler, Middleware } from '../../middleware/middleware.js';
import type { Clock } from '../../timing/clock.js';
import { DeadlineWheel } from '../../timing/deadline-wheel.js';
import { DeliveryContext } from '../delivery-context.js';
import { Answer, type AnswerHost } from './answer.js';
import { CalledOff } from './calling-off.js';
import type { DirectChannel } from './direct-channel.js';
import { failureOf } from './reply-stream.js';
import { ReplyWriter } from './reply-writer.js';
import { REPLY_TO_HEADER, type ReplyKind, RequestReader } from './request-headers.js';

/** Why a request was not answered: its headers are not those of a request, its time was up, or a reply did not get out. */
export type UnansweredReason = 'refused' | 'expired';

/** What a {@link Responder} is made of. */
export interface ResponderParts {
  readonly channel: DirectChannel;
  readonly clock: Clock;
  /** A reply could not be sent. */
  readonly onUnsent: (topic: string, error: unknown) => void;
}

/**
 * Answers the messages that are requests with what their handlers return, and knows which are under way, so that they can
 * be called off. A request whose reply address is not a private inbox is refused, one whose time is up is not started.
 */
export class Responder {
  private readonly running: DeadlineWheel<Answer>;
  private readonly host: AnswerHost;
  private readonly reader = new RequestReader();
  private readonly calledOff: CalledOff;
  /** Requesters that are being told that their request is not handled here. */
  private readonly telling = new Set<Promise<void>>();

  constructor(private readonly parts: ResponderParts) {
    const { channel, clock, onUnsent } = parts;
    this.running = new DeadlineWheel(clock);
    this.host = { channel, deadlines: this.running, onUnsent };
    this.calledOff = new CalledOff(channel, (ids) => this.end(ids));
  }

  /** Requests under way. */
  get size(): number {
    return this.running.size;
  }

  /** To stand outside all other middleware; what is no request passes through. */
  middleware(onUnanswered: (reason: UnansweredReason) => void): Middleware {
    return (next) => (context) =>
      context.headers[REPLY_TO_HEADER] === undefined
        ? next(context)
        : this.answer(context, next, onUnanswered);
  }

  /** Resolves when requests can be called off. Without it, that begins with the first request. */
  listen(): Promise<void> {
    return this.calledOff.listen();
  }

  /** Ends what still runs, with `reason`, and tells the requesters; resolves when they, and those turned away, are told. */
  async abandon(reason: Error): Promise<void> {
    await Promise.all([...this.running.items().map((answer) => answer.giveUp(reason)), ...this.telling]);
  }

  /** Tells a requester that its request is not handled here, so that it can ask somebody else; false for what is no request. */
  turnAway(headers: Headers, id: string): boolean {
    return this.tell(headers, id, ['gone', null], 'a request that came while closing or paused');
  }

  /** Fails a request that no handler is given, with what its requester may know of `error`. What is no request is left alone. */
  refuse(headers: Headers, id: string, error: unknown): void {
    this.tell(headers, id, ['error', failureOf(error)], 'a request that was refused');
  }

  private tell(headers: Headers, id: string, reply: [ReplyKind, unknown], what: string): boolean {
    if (headers[REPLY_TO_HEADER] === undefined) return false;
    const { channel, onUnsent } = this.parts;
    const request = this.reader.read(headers, id);
    if (!request) return false;
    const told = new Promise<void>((resolve) => {
      const host = {
        onGone: () => {},
        onUnwritable: () => {},
        onUnsent: (error: unknown) => onUnsent(what, error),
        onFlushed: resolve,
      };
      new ReplyWriter(channel, request, host).write(...reply);
    });
    this.telling.add(told);
    void told.then(() => this.telling.delete(told));
    return true;
  }

  private answer(
    context: DiscoMessageContext,
    next: Handler,
    onUnanswered: (reason: UnansweredReason) => void,
  ): unknown {
    const request = this.reader.read(context.headers, context.id);
    if (!request) return onUnanswered('refused');
    const leftMs = request.timeoutMs - this.waitedMs(context);
    if (leftMs <= 0) return onUnanswered('expired');
    if (this.calledOff.has(request.id)) return undefined;
    this.calledOff.begin();
    return new Answer(request, context, this.host).run(next, leftMs);
  }

  private waitedMs(context: DiscoMessageContext): number {
    return context instanceof DeliveryContext ? context.waitedMs(this.parts.clock.monotonic()) : 0;
  }

  /** Several subscriptions of one bus may answer the same request. */
  private end(calledOff: ReadonlySet<string>): void {
    for (const answer of this.running.items()) if (calledOff.has(answer.request.id)) answer.callOff();
  }
}
