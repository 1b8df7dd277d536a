import type { DeliveryGuarantee } from '../driver/capabilities.js';
import {
  aBoolean,
  aDuration,
  aNumber,
  aString,
  type OptionKinds,
  oneOf,
  options,
  orFalse,
} from '../errors/option-kinds.js';
import { type BackoffOptions, backoffKinds } from '../timing/backoff.js';
import type { Duration } from '../timing/duration.js';

/** How often a failed message is tried. */
export interface RetryOptions {
  /** Attempts in all, the first included. @default 5 at least once, 1 at most once */
  attempts?: number;
  backoff?: BackoffOptions;
}

/**
 * What to do when handlers cannot keep up with a fan-out topic. The bounds hold for one subscription, and for all that it
 * keeps for later: what waits for a free handler, for its key, or for its next attempt in this process.
 */
export interface BacklogOptions {
  /** Messages that may wait. @default 100000 */
  limit?: number;
  /** Bytes of their bodies as they travelled that may wait; a message larger than this never waits. @default 64 MiB */
  maxBytes?: number;
  /**
   * Which message gives way when a bound is reached: the one that comes, or the one that came first. Each is told as the
   * status `dropped` and counted, for the reason `overflow`. @default 'drop-new'
   */
  overflow?: 'drop-new' | 'drop-old';
}

/**
 * How the messages of a topic travel. `'disco'`: as frames with headers, on a channel or stream below the prefix. `'go'`:
 * as the Go library Disco Bus publishes and reads them, on the channel of the topic's bare name.
 */
export type WireName = 'disco' | 'go';

/** What is agreed about a topic: publishers and subscribers read the same table. */
export interface TopicOptions {
  /**
   * `'go'` shares the topic with services of the Go library. At most once; a message has a payload and no more, so its id
   * and time are made where it arrives, and `headers`, `id`, `key`, `delay`, `at`, `ttl` and requests are refused.
   * @default 'disco'
   */
  wire?: WireName;
  /** @default 'at-least-once'; on the wire `'go'`, and where the driver can do no more, 'at-most-once' */
  delivery?: DeliveryGuarantee;
  /**
   * Consumer group, at least once. The members of a group share the messages; each group gets all of them.
   * @default the bus's `service`; for a topic pattern a group of its own: `service@pattern`
   */
  group?: string;
  /** Handlers running at the same time in one subscription. @default 16 */
  concurrency?: number;
  /** At least once: messages read ahead of the running handlers. @default the same as `concurrency` */
  prefetch?: number;
  /** `false` means one attempt. At most once, further attempts happen within this process and are lost with it. */
  retry?: RetryOptions | false;
  /** At least once: whether a message that is given up is kept as a dead letter; otherwise it is dropped and counted. @default true */
  deadLetter?: boolean;
  /**
   * How long one attempt may take; then its `signal` aborts. The message is not tried again, and its place is not free, before
   * the handler has ended, for ten times as long at most (5 s to 5 min). @default '30s'
   */
  timeout?: Duration;
  /** Where a new group begins. @default 'beginning' */
  startFrom?: 'beginning' | 'new';
  /**
   * `'key'`: messages published with the same `key` are handled in the order they were published and never in parallel,
   * other keys in parallel. Retries then happen in place, so that nothing overtakes, and at least once one subscription
   * of the group reads at a time while the others stand by. @default no order
   */
  orderBy?: 'key';
  /** At most once only. */
  backlog?: BacklogOptions;
}

/** A guarantee. */
export const aGuarantee = oneOf('at-most-once', 'at-least-once');

const retryKinds: OptionKinds<RetryOptions> = {
  attempts: aNumber,
  backoff: options(backoffKinds),
};

const backlogKinds: OptionKinds<BacklogOptions> = {
  limit: aNumber,
  maxBytes: aNumber,
  overflow: oneOf('drop-new', 'drop-old'),
};

/** What each of {@link TopicOptions} may be. */
export const topicKinds: OptionKinds<TopicOptions> = {
  wire: oneOf('disco', 'go'),
  delivery: aGuarantee,
  group: aString,
  concurrency: aNumber,
  prefetch: aNumber,
  retry: orFalse(options(retryKinds)),
  deadLetter: aBoolean,
  timeout: aDuration,
  startFrom: oneOf('beginning', 'new'),
  orderBy: oneOf('key'),
  backlog: options(backlogKinds),
};
