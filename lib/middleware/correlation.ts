import { AsyncLocalStorage } from 'node:async_hooks';
import type { Middleware } from './middleware.js';

/** The header that ties together all messages one request has led to. */
export const CORRELATION_HEADER = 'x-correlation-id';

const storage = new AsyncLocalStorage<string>();

/**
 * Gives everything a handler publishes the correlation id of the message it handles: its `x-correlation-id` header, or
 * its id when it starts a chain. Costs an async-context switch per message, so it is off until asked for.
 */
export function correlation(): Middleware {
  return (next) => (context) =>
    storage.run(context.headers[CORRELATION_HEADER] ?? context.id, () => next(context));
}

/** The correlation id of the message being handled here, if any. */
export function currentCorrelationId(): string | undefined {
  return storage.getStore();
}
