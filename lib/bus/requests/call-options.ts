import type { DeliveryGuarantee } from '../../driver/capabilities.js';
import type { Headers } from '../../message/headers.js';

/** How one request is made; all of it is checked. */
export interface ResolvedCall {
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delivery?: DeliveryGuarantee;
  readonly signal?: AbortSignal;
  /** The one group that answers: with no member alive, nothing is sent. */
  readonly group?: string;
}

/** How a request past the checks of a publish is made. */
export interface DirectCall {
  readonly timeoutMs: number;
  readonly headers?: Headers;
  readonly signal?: AbortSignal;
  /** What is left of `timeoutMs` for the first reply. @default all of it */
  readonly leftMs?: number;
  /** Only one can receive it, whether or not the driver counts receivers. @default false */
  readonly sole?: boolean;
  /** What errors call the topic: what the caller wrote. @default the topic */
  readonly name?: string;
  /** A question of the transport's own, which nobody's request waits for: not counted among those that wait. */
  readonly aside?: boolean;
}

/** A request under way. */
export interface RequestHandle {
  /** Calls it off: its observer is told nothing more, and the handler's signal aborts. */
  cancel(): void;
}
