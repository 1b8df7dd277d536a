import type { DriverPublishOptions, DriverReceipt } from '../driver/driver.js';
import { PublishOutcomeUnknownError } from '../errors/publish.errors.js';
import type { TopicMetrics } from '../metrics/metrics.js';
import type { Clock } from '../timing/clock.js';
import { Deadlined, DeadlineQueue } from '../timing/deadline-queue.js';
import type { PublishReceipt } from './bus-options.js';

/** A driver keeps the deadline itself, and knows then whether anything was sent; it gets this much longer to say so. */
const GRACE_MS = 50;

/** A message on its way to the driver, as far as waiting for it goes. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly options: DriverPublishOptions;
  readonly sizeBytes: number;
  readonly metrics: TopicMetrics;
  /** On the monotonic clock. */
  readonly startedMs: number;
}

/** The publishes under way. Each settles when its time is up or its signal aborts, whatever the driver does. */
export class Publications {
  private readonly usual: DeadlineQueue;
  private underWay = 0;
  private idleWaiters: (() => void)[] = [];

  constructor(
    private readonly usualTimeoutMs: number,
    readonly clock: Clock,
  ) {
    this.usual = new DeadlineQueue(usualTimeoutMs + GRACE_MS, clock);
  }

  /**
   * The receipt for `message`, or a rejection with PublishOutcomeUnknownError once the driver's answer is overdue or the
   * signal aborts too late to withdraw it.
   */
  track(message: OutgoingMessage, answer: Promise<DriverReceipt>): Promise<PublishReceipt> {
    const { timeoutMs } = message.options;
    const usual = timeoutMs === this.usualTimeoutMs;
    const deadlines = usual ? this.usual : new DeadlineQueue(timeoutMs + GRACE_MS, this.clock);
    this.underWay++;
    return new Promise((resolve, reject) => {
      new Publication(this, message, deadlines, resolve, reject).wait(answer);
    });
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    return this.underWay === 0 ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  ended(): void {
    this.underWay--;
    if (this.underWay > 0 || this.idleWaiters.length === 0) return;
    for (const wake of this.idleWaiters.splice(0)) wake();
  }

  close(): void {
    this.usual.clear();
  }
}

class Publication extends Deadlined {
  private settled = false;
  private readonly onAbort?: () => void;

  constructor(
    private readonly owner: Publications,
    private readonly message: OutgoingMessage,
    private readonly deadlines: DeadlineQueue,
    private readonly resolve: (receipt: PublishReceipt) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super();
    const { signal } = message.options;
    if (!signal) return;
    this.onAbort = () => void setImmediate(() => this.unknown(signal.reason));
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  wait(answer: Promise<DriverReceipt>): void {
    this.deadlines.track(this, this.message.startedMs);
    answer.then(
      (receipt) => this.accepted(receipt),
      (error: unknown) => this.failed(error),
    );
  }

  expired(): void {
    this.unknown(undefined);
  }

  private unknown(cause: unknown): void {
    this.failed(new PublishOutcomeUnknownError(this.message.topic, { cause }));
  }

  private accepted(receipt: DriverReceipt): void {
    if (!this.end('success')) return;
    const { topic, options, metrics, sizeBytes } = this.message;
    metrics.size('out', sizeBytes);
    this.resolve(toReceipt(options.id, topic, receipt));
  }

  private failed(error: unknown): void {
    if (this.end('error')) this.reject(error);
  }

  private end(status: 'success' | 'error'): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.deadlines.delete(this);
    const { metrics, options, startedMs } = this.message;
    if (this.onAbort) options.signal?.removeEventListener('abort', this.onAbort);
    metrics.published(status, (this.owner.clock.monotonic() - startedMs) / 1000);
    this.owner.ended();
    return true;
  }
}

function toReceipt(id: string, topic: string, { position, receivers }: DriverReceipt): PublishReceipt {
  if (position !== undefined) return { id, topic, position };
  return receivers === undefined ? { id, topic } : { id, topic, receivers };
}
