import type { DiscoMessageContext } from '../../middleware/message-context.js';
import type { Handler, Middleware } from '../../middleware/middleware.js';
import type { Clock } from '../../timing/clock.js';
import { Answer } from './answer.js';
import type { DirectChannel } from './direct-channel.js';
import {
  CANCEL_TOPIC,
  isHex128,
  REPLY_TO_HEADER,
  REQUEST_ID_HEADER,
  random128,
  readRequest,
} from './request-headers.js';

/** Requests called off before they were started that are remembered at a time. */
const REMEMBERED = 4096;

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
  private readonly name = random128();
  private readonly running = new Map<string, Set<Answer>>();
  private readonly calledOff = new Set<string>();
  private listening: Promise<void> | undefined;

  constructor(private readonly parts: ResponderParts) {}

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
    this.listening ??= this.subscribe().catch((error) => {
      this.listening = undefined;
      throw error;
    });
    return this.listening;
  }

  /** Ends what still runs, with `reason`, and tells the requesters; resolves when they are told. */
  async abandon(reason: Error): Promise<void> {
    const answers = [...this.running.values()].flatMap((same) => [...same]);
    await Promise.all(answers.map((answer) => answer.giveUp(reason)));
  }

  private answer(
    context: DiscoMessageContext,
    next: Handler,
    onUnanswered: (reason: UnansweredReason) => void,
  ): unknown {
    const { clock, channel, onUnsent } = this.parts;
    const nowMs = clock.now();
    const request = readRequest(context.headers, nowMs);
    if (!request) return onUnanswered('refused');
    if (request.deadlineMs <= nowMs) return onUnanswered('expired');
    if (this.calledOff.has(request.id)) return undefined;
    void this.listen().catch(() => {});
    const answer = new Answer({
      context,
      request,
      clock,
      channel,
      responder: this.responderName(request.id),
      onUnsent: (error) => onUnsent(context.topic, error),
      onEnded: (ended) => this.forget(request.id, ended),
    });
    this.remember(request.id, answer);
    return answer.run(next);
  }

  /** Two subscriptions of one bus may answer the same request: each numbers its replies by itself. */
  private responderName(id: string): string {
    return this.running.has(id) ? random128() : this.name;
  }

  private remember(id: string, answer: Answer): void {
    const same = this.running.get(id);
    if (same) same.add(answer);
    else this.running.set(id, new Set([answer]));
  }

  private forget(id: string, answer: Answer): void {
    const same = this.running.get(id);
    same?.delete(answer);
    if (same?.size === 0) this.running.delete(id);
  }

  private async subscribe(): Promise<void> {
    await this.parts.channel.subscribe(
      CANCEL_TOPIC,
      ({ headers }) => this.callOff(headers[REQUEST_ID_HEADER]),
      () => {},
    );
  }

  private callOff(id: string | undefined): void {
    if (!isHex128(id)) return;
    const answers = this.running.get(id);
    if (answers) for (const answer of answers) answer.callOff();
    if (this.calledOff.size >= REMEMBERED) {
      const [oldest] = this.calledOff;
      this.calledOff.delete(oldest);
    }
    this.calledOff.add(id);
  }
}
