import type { DriverCapabilities } from '../driver/capabilities.js';
import type { Delivery } from '../driver/delivery.js';
import type {
  BufferLimit,
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../driver/driver.js';
import type { DriverStatusListener } from '../driver/driver-status.js';
import { AbortedError, ClosedError, NotConnectedError } from '../errors/bus.errors.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { BackpressureError, PublishTimeoutError } from '../errors/publish.errors.js';
import type { Clock } from '../timing/clock.js';
import type { Deadline } from '../timing/deadline-queue.js';
import { Deadlines } from '../timing/deadlines.js';

/** How long a call without a time of its own waits for the first connection. */
export const PATIENCE_MS = 5_000;
/** What may wait where the driver does not say. */
const USUAL_LIMIT: BufferLimit = { messages: 1_000, bytes: 8 * 1024 * 1024 };

/** How long a call waits, what ends its waiting, and what it takes of the buffer. */
interface Stay {
  /** @default without bound */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** @default none: it takes nothing of the buffer */
  readonly bytes?: number;
  late(): DiscoBusError;
}

/** A call that waits. It ends once: it is let in, or turned away. */
class Visit {
  deadline: Deadline | undefined;

  constructor(
    readonly stay: Stay,
    private readonly enter: () => void,
    private readonly reject: (error: unknown) => void,
    private readonly onLeft: (visit: Visit) => void,
  ) {
    stay.signal?.addEventListener('abort', this, { once: true });
  }

  letIn(): void {
    this.leave();
    this.enter();
  }

  turnAway(error: DiscoBusError): void {
    this.leave();
    this.reject(error);
  }

  /** The signal's listener. */
  handleEvent(): void {
    this.turnAway(new AbortedError(this.stay.signal?.reason));
  }

  private leave(): void {
    this.deadline?.cancel();
    this.stay.signal?.removeEventListener('abort', this);
    this.onLeft(this);
  }
}

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
  private readonly visits = new Set<Visit>();
  private frames = 0;
  private bytes = 0;
  private readonly limit: BufferLimit;
  private readonly deadlines: Deadlines;

  constructor(
    private readonly inner: DiscoDriver,
    private readonly clock: Clock,
  ) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.limit = inner.bufferLimit ?? USUAL_LIMIT;
    this.deadlines = new Deadlines(clock);
  }

  /** From now on calls wait; those that wait when the driver is connected are let in before any other. */
  async connect(context?: DriverContext): Promise<void> {
    if (!(this.refusal instanceof ClosedError)) this.refusal = undefined;
    await this.inner.connect(context);
    if (this.refusal || this.open) return;
    this.open = true;
    for (const visit of this.visits) visit.letIn();
  }

  /** Turns away what waits, and what comes before the next `connect`; after a ClosedError for good. */
  refuse(error: DiscoBusError, later: DiscoBusError = error): void {
    if (this.open) return;
    this.refusal = later;
    for (const visit of this.visits) visit.turnAway(error);
    this.deadlines.clear();
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    if (this.open) return this.inner.publish(topic, frame, options);
    const { timeoutMs, signal } = options;
    const { byteLength: bytes } = frame;
    if (!this.refusal && (this.frames >= this.limit.messages || this.bytes + bytes > this.limit.bytes)) {
      const text = `No connection yet, and ${this.frames} messages wait for it already`;
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
    const { signal, timeoutMs } = stay;
    if (this.refusal) return Promise.reject(this.refusal);
    if (signal?.aborted) return Promise.reject(new AbortedError(signal.reason));
    const sinceMs = this.clock.monotonic();
    return new Promise<Outcome>((resolve, reject) => {
      const begin = () => void enter(this.clock.monotonic() - sinceMs).then(resolve, reject);
      const visit = new Visit(stay, begin, reject, this.left);
      if (timeoutMs !== undefined) {
        visit.deadline = this.deadlines.add(timeoutMs, () => visit.turnAway(stay.late()));
      }
      this.visits.add(visit);
      this.count(stay, 1);
    });
  }

  private count({ bytes }: Stay, step: 1 | -1): void {
    if (bytes === undefined) return;
    this.frames += step;
    this.bytes += step * bytes;
  }

  private readonly left = (visit: Visit): void => {
    if (this.visits.delete(visit)) this.count(visit.stay, -1);
  };
}

function unreached(): NotConnectedError {
  return new NotConnectedError(`No connection within ${PATIENCE_MS} ms`);
}

/** The same publish, with the time that it has waited taken off. */
function shortened(options: DriverPublishOptions, waitedMs: number): DriverPublishOptions {
  const { timeoutMs, delayMs, ttlMs } = options;
  return {
    ...options,
    timeoutMs: Math.max(1, Math.floor(timeoutMs - waitedMs)),
    delayMs: delayMs === undefined ? undefined : Math.max(0, delayMs - waitedMs),
    ttlMs: ttlMs === undefined ? undefined : Math.max(1, ttlMs - waitedMs),
  };
}
