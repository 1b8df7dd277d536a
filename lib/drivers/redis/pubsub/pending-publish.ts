import type { DriverPublishOptions, DriverReceipt } from '../../../driver/driver.js';
import { AbortedError } from '../../../errors/bus.errors.js';
import type { DiscoBusError } from '../../../errors/disco-bus-error.js';
import { PublishOutcomeUnknownError, PublishTimeoutError } from '../../../errors/publish.errors.js';
import { Deadlined } from '../../../timing/deadline-queue.js';

/** What a {@link PendingPublish} tells its publisher. */
export interface PendingPublishOwner {
  /** It was settled while it still waited: it must not be sent any more. */
  withdrawn(pending: PendingPublish): void;
}

/**
 * One frame from the call to its settling: the one place where its deadline and its signal are kept. Until it is sent it can
 * be withdrawn; afterwards a deadline or a signal leaves its outcome unknown.
 */
export class PendingPublish extends Deadlined {
  private readonly madeMs: number;
  private sent = false;
  private refused = false;
  private settled = false;

  constructor(
    private readonly owner: PendingPublishOwner,
    readonly topic: string,
    readonly frame: Uint8Array,
    readonly options: DriverPublishOptions,
    private readonly resolve: (receipt: DriverReceipt) => void,
    private readonly reject: (error: DiscoBusError) => void,
    /** The Redis channel, where it goes to one. */
    readonly channel = topic,
  ) {
    super();
    this.madeMs = options.ttlMs === undefined ? 0 : performance.now();
    options.signal?.addEventListener('abort', this, { once: true });
  }

  get isSettled(): boolean {
    return this.settled;
  }

  /** Whether it waited longer than its time to live. */
  get isStale(): boolean {
    const { ttlMs } = this.options;
    return ttlMs !== undefined && performance.now() - this.madeMs > ttlMs;
  }

  /** Its time is up. */
  expired(): void {
    this.giveUp(new PublishTimeoutError(this.topic, this.options.timeoutMs));
  }

  /** The signal's listener. */
  handleEvent(): void {
    const reason: unknown = this.options.signal?.reason;
    this.giveUp(new AbortedError(reason), { cause: reason });
  }

  /** It waits for a connection. */
  waits(): void {
    this.sent = false;
  }

  /** It is handed to the connection. */
  leaves(): void {
    this.sent = true;
    this.refused = false;
  }

  /** The server has answered that it did not take it; it may be handed over again. */
  turnedDown(): void {
    this.refused = true;
  }

  accept(receipt: DriverReceipt): void {
    if (this.end()) this.resolve(receipt);
  }

  fail(error: DiscoBusError): void {
    const waiting = !this.sent;
    if (!this.end()) return;
    if (waiting) this.owner.withdrawn(this);
    this.reject(error);
  }

  /** Whether it was sent decides what the caller may conclude. */
  private giveUp(unsent: DiscoBusError, because?: ErrorOptions): void {
    const isSent = this.sent && !this.refused;
    this.fail(isSent ? new PublishOutcomeUnknownError(this.topic, because) : unsent);
  }

  private end(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.takeOff();
    this.options.signal?.removeEventListener('abort', this);
    return true;
  }
}
