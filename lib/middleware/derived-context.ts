import type { Message } from '../message/message.js';
import type { Duration } from '../timing/duration.js';
import { ContextOfMessage, type DiscoMessageContext } from './message-context.js';

/** A context with another message in it; everything else, and every request, is the original's. */
export class DerivedContext extends ContextOfMessage implements DiscoMessageContext {
  constructor(
    private readonly original: DiscoMessageContext,
    readonly message: Message,
  ) {
    super();
  }

  get attempt(): number {
    return this.original.attempt;
  }

  get group(): string {
    return this.original.group;
  }

  get signal(): AbortSignal {
    return this.original.signal;
  }

  retry(options?: { delay?: Duration }): void {
    this.original.retry(options);
  }

  terminate(reason?: string): void {
    this.original.terminate(reason);
  }

  abort(reason: Error): void {
    this.original.abort(reason);
  }
}
