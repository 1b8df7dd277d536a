/**
 * What is promised of each message. `'at-most-once'`: fanned out to every live subscriber, kept by nobody.
 * `'at-least-once'`: stored, shared out in consumer groups, redelivered until settled.
 */
export type DeliveryGuarantee = 'at-most-once' | 'at-least-once';

/** What a driver can do under one delivery guarantee. Stated once; the bus and the contract suite both read it. */
export interface GuaranteeCapabilities {
  /** Subscriptions may name a topic pattern. */
  readonly patterns: boolean;
  /** Members of a consumer group share the messages; every group gets all of them. Without it every subscriber gets all. */
  readonly groups: boolean;
  /** `delayMs` of a publish is honoured. */
  readonly delay: boolean;
  /** One publisher's messages to one topic reach a subscription in the order they were published. */
  readonly ordered: boolean;
  /** Messages published while nobody subscribes reach a group that starts at the beginning. */
  readonly backlog: boolean;
  /** Accepted messages outlive a restart of the server (as far as the server is set up to keep them). */
  readonly persistent: boolean;
  /** A message id that was accepted before is not stored again within the driver's window. */
  readonly deduplication: boolean;
  /** A group can be read by one subscription at a time, the others standing by. @default false */
  readonly exclusive?: boolean;
  /** Topics can be used by their bare names, frames going as they are: see `bare` of a publish. @default false */
  readonly bare?: boolean;
  /** Parts of a frame can be settled one by one, so the bus may bundle. Fan-out guarantees have nothing to settle: true. */
  readonly parts: boolean;
}

/** The guarantees a driver offers; an absent one is refused at the edge with a ConfigurationError. */
export type DriverCapabilities = { readonly [guarantee in DeliveryGuarantee]?: GuaranteeCapabilities };
