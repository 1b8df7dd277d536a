import { fromNobodysContext } from '../driver/async-context.js';
import { guestSignal } from '../errors/guest-signal.js';
import { LockLostError } from '../errors/lock.errors.js';
import { type Clock, type ClockTimer, unref } from '../timing/clock.js';
import type { Lock } from './lock.js';
import type { ResolvedLockOptions } from './lock-options.js';

/** What is looked after; `abandon` ends its validity. */
type KeptLock = Pick<Lock, 'keys' | 'remainingMs' | 'extend'> & { abandon(reason: unknown): void };

/** The signal aborts this much before validity ends: a fiftieth of the ttl, within these. */
const shortestLeadMs = 5;
const longestLeadMs = 100;
/** An extension that failed is tried again no sooner than this. */
const shortestRetryMs = 20;

/** Extends a lock by itself and aborts its signal before validity ends. Only locks that need one of them have it. */
export class LockUpkeep {
  private controller: AbortController | undefined;
  private endTimer: ClockTimer | undefined;
  private extendTimer: ClockTimer | undefined;
  private ended = false;
  private reason: unknown;

  constructor(
    private readonly lock: KeptLock,
    private readonly ttlMs: number,
    private readonly options: ResolvedLockOptions,
    private readonly clock: Clock,
  ) {
    if (options.autoExtend) options.signal?.addEventListener('abort', this.cancel, { once: true });
  }

  /** Aborts shortly before validity ends, and when `end` is given a reason. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      guestSignal(this.controller.signal);
      if (!this.ended) this.watch();
      else if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** Extends a third of the ttl after the claim was sent, and so on. */
  extendInTime(): void {
    // At once, if the answer took longer than that.
    this.extendAfter(Math.max(0, this.lock.remainingMs() - (this.ttlMs * 2) / 3));
  }

  /** Extends now; one that fails is tried again soon, for as long as there is time. */
  async extendNow(): Promise<void> {
    if (this.lock.remainingMs() === 0) return this.lock.abandon(new LockLostError(this.lock.keys));
    try {
      await this.lock.extend();
      if (this.goesOn && this.options.autoExtend) this.extendInTime();
    } catch {
      const retryMs = Math.max(shortestRetryMs, this.lock.remainingMs() / 4);
      if (this.goesOn) this.extendAfter(Math.min(this.ttlMs / 3, retryMs));
    }
  }

  /** The end of the lock's time has moved: the signal aborts then. */
  moved(): void {
    if (this.endTimer !== undefined) this.watch();
  }

  /** Ends both; with a reason the signal aborts. The first call counts. */
  end(reason?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.reason = reason;
    this.clock.clearTimeout(this.endTimer);
    this.clock.clearTimeout(this.extendTimer);
    this.endTimer = undefined;
    this.options.signal?.removeEventListener('abort', this.cancel);
    if (reason !== undefined) this.controller?.abort(reason);
  }

  private get goesOn(): boolean {
    const cancelled = this.options.autoExtend && this.options.signal?.aborted;
    return !this.ended && !cancelled;
  }

  private extendAfter(delayMs: number): void {
    const extend = () => void this.extendNow();
    // Extending goes on for as long as the lock is held, long after what was active when it was acquired.
    this.extendTimer = unref(fromNobodysContext(() => this.clock.setTimeout(extend, delayMs)));
  }

  /** The caller's signal ends the extension and tells the work; the lock itself stays until it is released. */
  private readonly cancel = (): void => {
    this.clock.clearTimeout(this.extendTimer);
    this.controller ??= new AbortController();
    this.controller.abort(this.options.signal?.reason);
  };

  /** Sets the timer for the signal anew. */
  private watch(): void {
    this.clock.clearTimeout(this.endTimer);
    const leadMs = Math.min(longestLeadMs, Math.max(shortestLeadMs, this.ttlMs / 50));
    const left = this.lock.remainingMs() - leadMs;
    if (left <= 0) this.lock.abandon(new LockLostError(this.lock.keys));
    else this.endTimer = unref(this.clock.setTimeout(() => this.watch(), Math.floor(left)));
  }
}
