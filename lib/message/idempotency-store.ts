/** What a store knows of a message when a handler asks for it. */
export type IdempotencyClaim =
  /** Nobody has handled it: the caller does, under `lease`. */
  | { readonly state: 'claimed'; readonly lease: string }
  /** Somebody handles it, for `leftMs` at the most. */
  | { readonly state: 'running'; readonly leftMs: number }
  /** It was handled; `result` is what was kept of it. */
  | { readonly state: 'done'; readonly result?: string };

/** What is kept of a message that was handled. */
export interface IdempotencyOutcome {
  /** How long it is remembered, milliseconds. */
  readonly keepMs: number;
  /** The handler's result, as JSON. */
  readonly result?: string;
}

/**
 * Remembers which messages were handled, for all processes that share it. Every call is atomic; what it rejects with is the
 * failure of the attempt, which is tried again.
 */
export interface IdempotencyStore {
  /** Claims `key` for `leaseMs`, unless it is claimed or done. */
  claim(key: string, leaseMs: number): IdempotencyClaim | Promise<IdempotencyClaim>;
  /** Remembers that `key` was handled: false, and nothing is changed, where the lease is not that of `key` any more. */
  complete(key: string, lease: string, outcome: IdempotencyOutcome): boolean | Promise<boolean>;
  /** Gives the claim up, if it is still that of `lease`: the next attempt may begin at once. */
  abandon(key: string, lease: string): unknown;
}
