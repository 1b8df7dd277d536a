import type { DriverCapabilities } from '../../driver/capabilities.js';
import type { Delivery } from '../../driver/delivery.js';
import type {
  BufferLimit,
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../../driver/driver.js';
import type { DriverStatusListener } from '../../driver/driver-status.js';
import { ClosedError, NotConnectedError } from '../../errors/bus.errors.js';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import { BackpressureError, PublishTimeoutError } from '../../errors/publish.errors.js';
import type { Clock } from '../../timing/clock.js';
import { Deadlines } from '../../timing/deadlines.js';
import { type Stay, shortened, WaitingCalls } from './waiting-calls.js';

/** How long a call without a time of its own waits for the first connection. */
export const PATIENCE_MS = 5_000;
/** What may wait where the driver does not say. */
const USUAL_LIMIT: BufferLimit = { messages: 1_000, bytes: 8 * 1024 * 1024 };

/**
 * A driver that has not been connected yet, and takes calls all the same: each waits for the first connection in the
 * order of the calls, no longer than its own time and until its signal aborts, publishes within the driver's
 * `bufferLimit`. What was turned away is never handed to the driver. From the first connection on it is the driver.
 */
export class WaitingRoom implements DiscoDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  private open = false;
  private refusal: DiscoBusError | undefined = new NotConnectedError('The bus is not started');
  private readonly calls: WaitingCalls;
  private readonly limit: BufferLimit;
  private readonly deadlines: Deadlines;

  constructor(
    private readonly inner: DiscoDriver,
    clock: Clock,
  ) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.limit = inner.bufferLimit ?? USUAL_LIMIT;
    this.deadlines = new Deadlines(clock);
    this.calls = new WaitingCalls(clock, this.deadlines);
  }

  /** From now on calls wait; those that wait when the driver is connected are let in before any other. */
  async connect(context?: DriverContext): Promise<void> {
    if (!(this.refusal instanceof ClosedError)) this.refusal = undefined;
    await this.inner.connect(context);
    if (this.refusal || this.open) return;
    this.open = true;
    this.calls.letAllIn();
  }

  /** Turns away what waits, and what comes before the next `connect`; after a ClosedError for good. */
  refuse(error: DiscoBusError, later: DiscoBusError = error): void {
    if (this.open) return;
    this.refusal = later;
    this.calls.turnAllAway(error);
    this.deadlines.clear();
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    if (this.open) return this.inner.publish(topic, frame, options);
    const { timeoutMs, signal } = options;
    const { byteLength: bytes } = frame;
    const { frames, bytes: held } = this.calls;
    if (!this.refusal && (frames >= this.limit.messages || held + bytes > this.limit.bytes)) {
      const text = `No connection yet, and ${frames} messages wait for it already`;
      return Promise.reject(new BackpressureError(text));
    }
    const stay = { timeoutMs, signal, bytes, late: () => new PublishTimeoutError(topic, timeoutMs) };
    return this.wait(stay, async (waitedMs) => {
      const { ttlMs = Number.POSITIVE_INFINITY } = options;
      if (waitedMs >= ttlMs) throw new PublishTimeoutError(topic, ttlMs);
      return this.inner.publish(topic, frame, shortened(options, waitedMs));
    });
  }

  subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    if (this.open) return this.inner.subscribe(topicOrPattern, options, onDelivery);
    const subscribe = () => this.inner.subscribe(topicOrPattern, options, onDelivery);
    return this.wait({ timeoutMs: PATIENCE_MS, late: unreached }, subscribe);
  }

  /** Resolves at the first connection. Rejects with NotConnectedError after `timeoutMs`, @default however long it takes. */
  connected(timeoutMs?: number): Promise<void> {
    if (this.open) return Promise.resolve();
    return this.wait({ timeoutMs, late: unreached }, () => Promise.resolve());
  }

  /** Does not wait: without a connection nobody answers. */
  ping(): Promise<void> {
    if (this.open) return this.inner.ping();
    return Promise.reject(this.refusal ?? new NotConnectedError(`${this.name}: not connected yet`));
  }

  close(graceMs?: number): Promise<void> {
    this.refuse(new ClosedError('The bus is stopped'));
    return this.inner.close(graceMs);
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.inner.onStatus(listener);
  }

  private wait<Outcome>(stay: Stay, enter: (waitedMs: number) => Promise<Outcome>): Promise<Outcome> {
    return this.refusal ? Promise.reject(this.refusal) : this.calls.wait(stay, enter);
  }
}

function unreached(): NotConnectedError {
  return new NotConnectedError(`No connection within ${PATIENCE_MS} ms`);
}
