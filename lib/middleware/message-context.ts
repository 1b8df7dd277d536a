import { assertMessageOptions, messageKinds } from '../errors/assert-options.js';
import { aDuration } from '../errors/option-kinds.js';
import type { Headers } from '../message/headers.js';
import type { Message } from '../message/message.js';
import type { Duration } from '../timing/duration.js';

/** What a handler is told beside the payload, and how it steers its message. One object per attempt. */
export interface DiscoMessageContext<T = unknown> {
  readonly message: Message<T>;
  readonly topic: string;
  readonly id: string;
  readonly headers: Headers;
  /** When it was published, milliseconds since the epoch. */
  readonly timestamp: number;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** The consumer group this handler belongs to. */
  readonly group: string;
  /**
   * Aborts when the handler's time is up, or the bus closes without it having settled. A handler that gives up because of
   * it has to throw (`signal.throwIfAborted()`): one that returns has handled its message.
   */
  readonly signal: AbortSignal;
  /**
   * Asks for another attempt after `delay` (default: as the retry policy says) once the handler has returned. Counts as
   * an attempt like any other. At most once the attempts happen within this process and are lost with it.
   */
  retry(options?: { delay?: Duration }): void;
  /** Gives the message up once the handler has returned: dead-lettered at least once, dropped and counted at most once. */
  terminate(reason?: string): void;
  /** For middleware: aborts `signal` with `reason`. */
  abort(reason: Error): void;
}

/** The parts of a {@link DiscoMessageContext} that its message says. */
export abstract class ContextOfMessage {
  abstract readonly message: Message;

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
}

const retryKinds = messageKinds<{ delay?: Duration }>({ delay: aDuration });

/** Throws ConfigurationError for what a handler cannot ask of {@link DiscoMessageContext.retry}. */
export function assertRetryRequest(options: object): void {
  assertMessageOptions('context.retry', options, retryKinds);
}
