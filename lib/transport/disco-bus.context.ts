import { BaseRpcContext } from '@nestjs/microservices';
import type { Headers } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { DiscoMessageContext } from '../middleware/message-context.js';
import type { Duration } from '../timing/duration.js';

/** What Nest's context holds: `getArgByIndex` reads it. */
export type DiscoBusContextArgs = [
  pattern: string,
  context: DiscoMessageContext,
  metadata: Readonly<Record<string, string>> | undefined,
];

/** What a handler of the transport is told beside the data: `@Ctx() context: DiscoBusContext`. */
export class DiscoBusContext extends BaseRpcContext<DiscoBusContextArgs> {
  /** What the handler threw, before filters made something else of it. */
  #failure: { readonly error: unknown } | undefined;

  /** @internal */
  static noteFailure(context: unknown, error: unknown): void {
    if (typeof context === 'object' && context !== null && #failure in context) {
      context.#failure ??= { error };
    }
  }

  /** @internal */
  static failureOf(context: DiscoBusContext): { readonly error: unknown } | undefined {
    return context.#failure;
  }

  /** The pattern as the client named it, in Nest's normal form: `'orders'`, `'{"cmd":"sum"}'`. */
  getPattern(): string {
    return this.args[0];
  }

  /** The same, by the name that the Redis transport gives it. */
  getChannel(): string {
    return this.args[0];
  }

  /** The topic on the bus. */
  getTopic(): string {
    return this.args[1].topic;
  }

  /** The message as it arrived. */
  getMessage(): Message {
    return this.args[1].message;
  }

  getHeaders(): Headers {
    return this.args[1].headers;
  }

  /** What the client's dispatch hook attached to the packet. */
  getMetadata(): Readonly<Record<string, string>> | undefined {
    return this.args[2];
  }

  /** The message's id. */
  getId(): string {
    return this.args[1].id;
  }

  /** When it was sent, milliseconds since the epoch. */
  getTimestamp(): number {
    return this.args[1].timestamp;
  }

  /** 1 for the first attempt. */
  getAttempt(): number {
    return this.args[1].attempt;
  }

  /** The consumer group. */
  getGroup(): string {
    return this.args[1].group;
  }

  /** Aborts when nobody waits for the reply any more, the handler's time is up, or the server closes. */
  getSignal(): AbortSignal {
    return this.args[1].signal;
  }

  /** Events only: asks for another attempt once the handler has returned. */
  retry(options?: { delay?: Duration }): void {
    this.args[1].retry(options);
  }

  /** Events only: gives the message up once the handler has returned; at least once it becomes a dead letter. */
  terminate(reason?: string): void {
    this.args[1].terminate(reason);
  }
}
