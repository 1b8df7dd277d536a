import type { MessagePublishOptions, PublishListener } from '../bundling/bundle-lane.js';
import type { EncodedBody } from '../codec/codec.js';
import type { BufferLimit, DriverReceipt } from '../driver/driver.js';
import { BackpressureError, PublishOutcomeUnknownError } from '../errors/publish.errors.js';
import type { Headers } from '../message/headers.js';
import type { OutgoingFrame } from '../message/outgoing-frame.js';
import type { Clock } from '../timing/clock.js';
import { Deadlined, DeadlineQueue } from '../timing/deadline-queue.js';
import type { PublishReceipt } from './bus-options.js';
import type { PublishLane } from './publish-lanes.js';

/** A driver keeps the deadline itself, and knows then whether anything was sent; it gets this much longer to say so. */
const GRACE_MS = 50;

/**
 * The publishes under way, bounded in count and in bytes. Each settles when its time is up or its signal aborts, whatever
 * the driver does.
 */
export class Publications {
  private readonly usual: DeadlineQueue;
  private underWay = 0;
  private bytes = 0;
  private idleWaiters: (() => void)[] = [];
  private roomWaiters: (() => void)[] = [];
  /** The same for all that are refused until something ends. */
  private refused: BackpressureError | undefined;

  constructor(
    private readonly usualTimeoutMs: number,
    readonly clock: Clock,
    private readonly limit: BufferLimit,
  ) {
    this.usual = new DeadlineQueue(usualTimeoutMs + GRACE_MS, clock);
  }

  /** Where a publish with that timeout waits. */
  deadlines(timeoutMs: number): DeadlineQueue {
    return timeoutMs === this.usualTimeoutMs
      ? this.usual
      : new DeadlineQueue(timeoutMs + GRACE_MS, this.clock);
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    return this.underWay === 0 ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Whether so many bytes more, in so many messages more, are within the bounds. A lone message always is. */
  hasRoom(bytes: number, messages = 1): boolean {
    const count = this.underWay + messages;
    if (count > this.limit.messages) return false;
    return count === 1 || this.bytes + bytes <= this.limit.bytes;
  }

  /** Resolves when there is room, or nothing is under way; rejects with BackpressureError when that takes too long. */
  async room({ messages, bytes }: BufferLimit, timeoutMs: number): Promise<void> {
    if (this.underWay === 0 || this.hasRoom(bytes, messages)) return;
    let late = false;
    const wake = () => {
      late = true;
      this.wakeForRoom();
    };
    const deadline = this.deadlines(timeoutMs).add(wake);
    while (this.underWay > 0 && !this.hasRoom(bytes, messages)) {
      if (late) throw this.refusal();
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
    deadline.cancel();
  }

  /** What a publish is told that finds no room. */
  refusal(): BackpressureError {
    this.refused ??= new BackpressureError(
      `${this.underWay} messages with ${this.bytes} bytes are being published already; nothing was sent. ` +
        `publishLimit allows ${this.limit.messages} messages and ${this.limit.bytes} bytes: ` +
        'wait until some have settled, use publishBatch, which waits by itself, or raise publishLimit',
    );
    return this.refused;
  }

  began(bytes: number): void {
    this.underWay++;
    this.bytes += bytes;
  }

  ended(bytes: number): void {
    this.underWay--;
    this.bytes -= bytes;
    this.refused = undefined;
    if (this.roomWaiters.length > 0) this.wakeForRoom();
    if (this.underWay > 0 || this.idleWaiters.length === 0) return;
    for (const wake of this.idleWaiters.splice(0)) wake();
  }

  close(): void {
    this.usual.clear();
  }

  private wakeForRoom(): void {
    for (const wake of this.roomWaiters.splice(0)) wake();
  }
}

/** A message's head and how it is published: all that is known before its payload is encoded. */
export interface PublicationHead {
  /** The whole id when it is the caller's own, else what stands before its number. */
  readonly id: string;
  readonly idNumber: number | undefined;
  readonly timestamp: number;
  readonly headers: Headers;
  readonly options: MessagePublishOptions;
  /** When `publish` was called, on the monotonic clock. */
  readonly startedMs: number;
}

/**
 * One message from its publish to its receipt: what the driver sends and what waits for the driver's answer. One object
 * for all of it, since there is one for every message.
 */
export class Publication extends Deadlined implements OutgoingFrame, PublishListener {
  readonly codec: number;
  readonly compression: number;
  readonly body: string | Uint8Array;
  private deadlines!: DeadlineQueue;
  private resolve!: (receipt: PublishReceipt) => void;
  private reject!: (error: unknown) => void;
  private settled = false;
  private onAbort: (() => void) | undefined;

  constructor(
    private readonly owner: Publications,
    readonly lane: PublishLane,
    private readonly head: PublicationHead,
    { data, codec, compression }: EncodedBody,
    readonly bodyBytes: number,
  ) {
    super();
    this.codec = codec;
    this.compression = compression;
    this.body = data;
  }

  get options(): MessagePublishOptions {
    return this.head.options;
  }

  get id(): string {
    const { id, idNumber } = this.head;
    return idNumber === undefined ? id : id + idNumber;
  }

  get idPrefix(): string | undefined {
    return this.head.idNumber === undefined ? undefined : this.head.id;
  }

  get idNumber(): number {
    return this.head.idNumber ?? 0;
  }

  get timestamp(): number {
    return this.head.timestamp;
  }

  get headers(): Headers {
    return this.head.headers;
  }

  /**
   * The receipt, or a rejection with PublishOutcomeUnknownError once the driver's answer is overdue or the signal aborts
   * too late to withdraw it. To be called once, before it is sent.
   */
  receipt(): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.begin();
    });
  }

  accepted(receipt: DriverReceipt, position: string | undefined): void {
    if (!this.end('success')) return;
    this.lane.metrics.size('out', this.bodyBytes);
    if (receipt.receivers === 0) this.lane.unheard();
    this.resolve(toReceipt(this.id, this.lane.topic, position, receipt.receivers));
  }

  failed(error: unknown): void {
    if (this.end('error')) this.reject(error);
  }

  expired(): void {
    this.unknown(undefined);
  }

  private begin(): void {
    const { options, startedMs } = this.head;
    this.owner.began(this.bodyBytes);
    this.deadlines = this.owner.deadlines(options.timeoutMs);
    this.deadlines.track(this, startedMs);
    const { signal } = options;
    if (!signal) return;
    this.onAbort = () => void setImmediate(() => this.unknown(signal.reason));
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  private unknown(cause: unknown): void {
    this.failed(new PublishOutcomeUnknownError(this.lane.topic, { cause }));
  }

  private end(status: 'success' | 'error'): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.deadlines.delete(this);
    const { options, startedMs } = this.head;
    if (this.onAbort) options.signal?.removeEventListener('abort', this.onAbort);
    this.lane.metrics.published(status, (this.owner.clock.monotonic() - startedMs) / 1000);
    this.owner.ended(this.bodyBytes);
    return true;
  }
}

function toReceipt(
  id: string,
  topic: string,
  position: string | undefined,
  receivers: number | undefined,
): PublishReceipt {
  if (position !== undefined) return { id, topic, position };
  return receivers === undefined ? { id, topic } : { id, topic, receivers };
}
