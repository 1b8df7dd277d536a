import type { Headers } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { Duration } from '../timing/duration.js';
import type { DiscoMessageContext } from './message-context.js';

/** A context with another message in it; everything else, and every request, is the original's. */
export class DerivedContext implements DiscoMessageContext {
  constructor(
    private readonly original: DiscoMessageContext,
    readonly message: Message,
  ) {}

  get topic(): string {
    return this.message.topic;
  }

  get id(): string {
    return this.message.id;
  }

  get headers(): Headers {
    return this.message.headers;
  }

  get timestamp(): number {
    return this.message.timestamp;
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
