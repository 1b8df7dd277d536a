import type { DriverPublishOptions, DriverReceipt } from '../../../driver/driver.js';
import { AbortedError } from '../../../errors/bus.errors.js';
import type { DiscoBusError } from '../../../errors/disco-bus-error.js';
import { PublishOutcomeUnknownError, PublishTimeoutError } from '../../../errors/publish.errors.js';
import type { Deadline } from '../../../timing/deadline-queue.js';

/** What a {@link PendingPublish} tells its publisher. */
export interface PendingPublishOwner {
  /** It was settled while it still waited: it must not be sent any more. */
  withdrawn(pending: PendingPublish): void;
}

/** One publish from the call to its settling. Until it is sent it can be withdrawn; afterwards only its outcome counts. */
export class PendingPublish {
  deadline: Deadline | undefined;
  private readonly madeMs: number;
  private sent = false;
  private refused = false;
  private settled = false;
  private aborted: (() => void) | undefined;

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
    this.madeMs = options.ttlMs === undefined ? 0 : performance.now();
  }

  get isSettled(): boolean {
    return this.settled;
  }

  /** Whether it waited longer than its time to live. */
  get isStale(): boolean {
    const { ttlMs } = this.options;
    return ttlMs !== undefined && performance.now() - this.madeMs > ttlMs;
  }

  /** Its time is up: whether it was sent decides what the caller may conclude. */
  readonly expired = (): void => {
    const { topic, options } = this;
    this.fail(
      this.sent && !this.refused
        ? new PublishOutcomeUnknownError(topic)
        : new PublishTimeoutError(topic, options.timeoutMs),
    );
  };

  /** From now on until it is sent the caller's signal withdraws it. */
  waits(): void {
    this.sent = false;
    const { signal } = this.options;
    if (signal === undefined || this.aborted !== undefined) return;
    this.aborted = () => this.fail(new AbortedError(signal.reason));
    signal.addEventListener('abort', this.aborted, { once: true });
  }

  /** It is handed to the connection. */
  leaves(): void {
    this.sent = true;
    this.refused = false;
    this.forgetSignal();
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

  private end(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.deadline?.cancel();
    this.forgetSignal();
    return true;
  }

  private forgetSignal(): void {
    if (this.aborted === undefined) return;
    this.options.signal?.removeEventListener('abort', this.aborted);
    this.aborted = undefined;
  }
}
