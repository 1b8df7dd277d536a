import { ConfigurationError } from '../../errors/bus.errors.js';
import type { HandlerSubscribeOptions } from '../options/bus-options.js';
import type { ResolvedTopic } from '../options/topic-table.js';
import { resolveBatch } from './batch.js';

/** A topic's policy as a subscription goes by it: `concurrency` counts the deliveries that it starts at a time. */
export interface DispatchPolicy extends ResolvedTopic {
  /** How many of them are handlers that run; the others wait for their key. */
  readonly handlers: number;
}

/** Messages of an ordered fan-out subscription that may wait for their key's turn without holding up other keys. */
const ORDERED_WINDOW = 1_000;

/**
 * The policy as the dispatcher and the settlement need it. A batch holds as many places as it has messages. Where keys
 * keep their order, messages wait for their turn behind the dispatcher and are retried in place.
 */
export function dispatchPolicy(policy: ResolvedTopic, { batch }: HandlerSubscribeOptions): DispatchPolicy {
  const { concurrency, prefetch, ordered, delivery } = policy;
  if (batch && ordered) throw new ConfigurationError('batch and orderBy exclude each other');
  if (batch) {
    const places = concurrency * resolveBatch(batch).size;
    return { ...policy, concurrency: places, handlers: places, prefetch: Math.max(prefetch, places) };
  }
  if (!ordered) return { ...policy, handlers: concurrency };
  const places = delivery === 'at-least-once' ? concurrency + prefetch : concurrency + ORDERED_WINDOW;
  return { ...policy, attempts: 1, concurrency: places, handlers: concurrency, prefetch: 0 };
}
