import { guestSignal } from '../errors/guest-signal.js';
import type { Duration } from '../timing/duration.js';
import { DerivedContext } from './derived-context.js';
import { assertRetryRequest, type DiscoMessageContext } from './message-context.js';

/** What a handler asked of an attempt. */
export type AttemptRequest =
  | { readonly type: 'retry'; readonly delay: Duration | undefined }
  | { readonly type: 'terminate'; readonly reason: string | undefined };

/** One of several attempts within this process: a number, a signal and a request of its own. */
export class AttemptContext extends DerivedContext {
  /** What the handler asked for; the first request counts. */
  request?: AttemptRequest;
  private readonly controller = new AbortController();

  constructor(
    private readonly whole: DiscoMessageContext,
    private readonly number: number,
  ) {
    super(whole, whole.message);
  }

  override get attempt(): number {
    return this.number;
  }

  /** Aborts with this attempt, or with all of them. */
  override get signal(): AbortSignal {
    return guestSignal(AbortSignal.any([this.controller.signal, this.whole.signal]));
  }

  override retry(options: { delay?: Duration } = {}): void {
    assertRetryRequest(options);
    const { delay } = options;
    this.request ??= { type: 'retry', delay };
  }

  override terminate(reason?: string): void {
    this.request ??= { type: 'terminate', reason };
  }

  override abort(reason: Error): void {
    this.controller.abort(reason);
  }
}
