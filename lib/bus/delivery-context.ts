import type { Delivery } from '../driver/delivery.js';
import { guestSignal } from '../errors/guest-signal.js';
import type { Message } from '../message/message.js';
import {
  assertRetryRequest,
  ContextOfMessage,
  type DiscoMessageContext,
} from '../middleware/message-context.js';
import type { Middleware } from '../middleware/middleware.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';

/** What a handler has asked for beyond returning or throwing. */
export type HandlerRequest =
  | { readonly type: 'retry'; readonly delayMs: number | undefined }
  | { readonly type: 'terminate'; readonly reason: string };

/** One attempt, as its handler sees it. The signal is made when it is first asked for. */
export class DeliveryContext extends ContextOfMessage implements DiscoMessageContext {
  /** What the handler asked for; the first request counts. */
  request?: HandlerRequest;
  /** Told when the attempt is aborted, before its signal is. */
  onAbort?: { aborted(reason: Error): void };
  private controller?: AbortController;
  private abortReason?: Error;

  constructor(
    readonly message: Message,
    readonly attempt: number,
    readonly group: string,
    private readonly onSignal: (context: DeliveryContext) => void,
    private readonly delivery?: Delivery,
    /** When it came here, on the monotonic clock; undefined where it was started at once. */
    private readonly cameMs?: number,
  ) {
    super();
  }

  /** How long the message has waited since it was stored or, where nothing is stored, received here: never by its sender's clock. */
  waitedMs(monotonicMs: number): number {
    return this.delivery?.ageMs ?? monotonicMs - (this.cameMs ?? monotonicMs);
  }

  /** Tells the driver that the handler is about to start. */
  begin(): void {
    this.delivery?.begin?.();
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      guestSignal(this.controller.signal);
      if (this.abortReason) this.controller.abort(this.abortReason);
      else this.onSignal(this);
    }
    return this.controller.signal;
  }

  retry(options: { delay?: Duration } = {}): void {
    assertRetryRequest(options);
    const { delay } = options;
    const delayMs = delay === undefined ? undefined : toMilliseconds(delay, 'retry.delay');
    this.request ??= { type: 'retry', delayMs };
  }

  terminate(reason = 'terminated'): void {
    this.request ??= { type: 'terminate', reason: String(reason).slice(0, 300) };
  }

  abort(reason: Error): void {
    if (this.abortReason === undefined) this.onAbort?.aborted(reason);
    this.abortReason ??= reason;
    this.controller?.abort(reason);
  }
}

/** Tells the driver of each delivery that gets this far that its handler is about to start. */
export const beginning: Middleware = (next) => (context) => {
  if (context instanceof DeliveryContext) context.begin();
  return next(context);
};
