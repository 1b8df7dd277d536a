import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { BusSubscription } from './subscription.js';
import type { Wanted } from './wanted.js';

/** A subscription of a bus, right now. */
export interface SubscriptionStatus {
  /** The topic or topic pattern. */
  readonly topic: string;
  readonly delivery: DeliveryGuarantee;
  /** The consumer group; undefined at most once. */
  readonly group?: string;
  /** `Class.method` of a decorated handler. */
  readonly handler: string;
  /** Messages, or batches, that it handles at a time. */
  readonly concurrency: number;
  /** False until it reads, as while there is no connection yet, and once it closes. */
  readonly live: boolean;
  /** No message of it starts. */
  readonly paused: boolean;
  /** Messages whose handlers run. */
  readonly running: number;
  /** It belongs to the bus itself, as the inbox of a server of requests: its topic is no name of yours. */
  readonly own: boolean;
}

/** `subscription`: undefined until it was opened. */
export function statusOf(
  { label: topic, policy, dispatch, name: handler, own }: Wanted,
  subscription: BusSubscription | undefined,
): SubscriptionStatus {
  const { delivery, group } = policy;
  return {
    topic,
    delivery,
    ...(delivery === 'at-least-once' && { group }),
    handler,
    concurrency: dispatch.concurrency,
    live: subscription?.live ?? false,
    paused: subscription?.paused ?? false,
    running: subscription?.running ?? 0,
    own: own !== undefined,
  };
}
