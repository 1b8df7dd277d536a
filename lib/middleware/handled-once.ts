import type { IdempotencyStore } from '../message/idempotency-store.js';
import { DerivedContext } from './derived-context.js';
import type { DiscoMessageContext } from './message-context.js';
import type { Handler, Middleware } from './middleware.js';

/** How messages are remembered in a store. */
export interface HandledOnceOptions {
  readonly leaseMs: number;
  readonly keepMs: number;
  readonly results: boolean;
}

/** Calls the handler for what `store` does not know. */
export function handledOnce(store: IdempotencyStore, options: HandledOnceOptions): Middleware {
  return (next) => async (context) => {
    const key = `${context.group} ${context.topic} ${context.id}`;
    const claim = await store.claim(key, options.leaseMs);
    if (claim.state === 'running') {
      context.retry({ delay: Math.max(1, claim.leftMs) });
      return undefined;
    }
    if (claim.state === 'done') return claim.result === undefined ? undefined : JSON.parse(claim.result);
    return underLease(next, context, { store, key, lease: claim.lease, ...options });
  };
}

/** A claim, and what it was made with. */
interface Claimed extends HandledOnceOptions {
  readonly store: IdempotencyStore;
  readonly key: string;
  readonly lease: string;
}

async function underLease(
  next: Handler,
  context: DiscoMessageContext,
  { store, key, lease, keepMs, results }: Claimed,
): Promise<unknown> {
  const watched = new WatchedContext(context, context.message);
  let result: unknown;
  try {
    result = await next(watched);
  } catch (error) {
    await abandoned(store, key, lease);
    throw error;
  }
  if (watched.isOpen) await abandoned(store, key, lease);
  else await store.complete(key, lease, { keepMs, result: results ? asJson(result) : undefined });
  return result;
}

/** Where the store does not answer the lease ends by itself: the failure of the attempt is what is told. */
async function abandoned(store: IdempotencyStore, key: string, lease: string): Promise<void> {
  try {
    await store.abandon(key, lease);
  } catch {
    return;
  }
}

/** Undefined for what is no JSON: the work is done all the same. */
function asJson(result: unknown): string | undefined {
  try {
    return JSON.stringify(result);
  } catch {
    return undefined;
  }
}

/** Notices a handler that returns and has not handled its message. */
class WatchedContext extends DerivedContext {
  isOpen = false;

  override retry(...request: Parameters<DerivedContext['retry']>): void {
    super.retry(...request);
    this.isOpen = true;
  }

  override terminate(reason?: string): void {
    super.terminate(reason);
    this.isOpen = true;
  }
}
