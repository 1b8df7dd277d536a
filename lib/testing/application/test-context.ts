import { randomUUID } from 'node:crypto';
import { toHeaders } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import {
  assertRetryRequest,
  ContextOfMessage,
  type DiscoMessageContext,
} from '../../middleware/message-context.js';
import type { Duration } from '../../timing/duration.js';

/** What a message that is handed to one handler says beside its payload. */
export interface DeliveredMessage {
  /** @default the handler's topic; of a pattern one has to be named */
  topic?: string;
  headers?: Readonly<Record<string, string>>;
  /** @default 1 */
  attempt?: number;
  /** @default one of its own */
  id?: string;
}

/** A context of a message that no bus carries: remembers what its handler asks for. */
export class TestContext extends ContextOfMessage implements DiscoMessageContext {
  readonly message: Message;
  readonly attempt: number;
  /** What the handler has asked for by `retry`. */
  retried: { readonly delay?: Duration } | undefined;
  /** Why the handler gave the message up, by `terminate`. */
  terminated: string | undefined;
  private readonly controller = new AbortController();

  constructor(
    payload: unknown,
    topic: string,
    readonly group: string,
    { headers, attempt = 1, id = randomUUID() }: DeliveredMessage,
  ) {
    super();
    this.attempt = attempt;
    this.message = { id, topic, payload, headers: toHeaders(headers), timestamp: Date.now() };
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  retry(options: { delay?: Duration } = {}): void {
    assertRetryRequest(options);
    this.retried ??= options;
  }

  terminate(reason = 'terminated'): void {
    this.terminated ??= reason;
  }

  abort(reason: Error): void {
    this.controller.abort(reason);
  }
}
