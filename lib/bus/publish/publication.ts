import type { MessagePublishOptions, PublishListener } from '../../bundling/bundle-lane.js';
import type { EncodedBody } from '../../codec/codec.js';
import type { DriverReceipt } from '../../driver/driver.js';
import type { Headers } from '../../message/headers.js';
import type { OutgoingFrame } from '../../message/outgoing-frame.js';
import type { Clock } from '../../timing/clock.js';
import type { PublishReceipt } from '../options/bus-options.js';
import type { InFlightPublishes } from './in-flight-publishes.js';
import type { PublishTarget } from './publish-targets.js';

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

/** What a publication that is sent works with. */
export interface PublicationDeps {
  readonly inFlight: InFlightPublishes;
  readonly clock: Clock;
}

/**
 * One message from its publish to its receipt: what is sent, and what waits for the driver's answer. One object for all of
 * it, since there is one for every message. It has no deadline and no signal of its own: the driver keeps both.
 */
export class Publication implements OutgoingFrame, PublishListener {
  readonly codec: number;
  readonly compression: number;
  readonly body: string | Uint8Array;
  private deps!: PublicationDeps;
  private resolve!: (receipt: PublishReceipt) => void;
  private reject!: (error: unknown) => void;

  /** Before it was compressed. */
  private readonly plainBytes: number;

  constructor(
    readonly target: PublishTarget,
    private readonly head: PublicationHead,
    { data, codec, compression, plainBytes }: EncodedBody,
    readonly bodyBytes: number,
  ) {
    this.plainBytes = plainBytes ?? bodyBytes;
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

  get startedMs(): number {
    return this.head.startedMs;
  }

  /** The receipt, or a rejection with what the driver rejects with. To be called once, before it is sent. */
  receipt(deps: PublicationDeps): Promise<PublishReceipt> {
    this.deps = deps;
    deps.inFlight.began(this.bodyBytes);
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  accepted({ receivers }: DriverReceipt, position: string | undefined): void {
    const { id, target } = this;
    const { topic } = target;
    this.end('success');
    target.metrics.size('out', this.bodyBytes);
    target.metrics.plainSize(this.plainBytes);
    if (receivers === 0) target.unheard();
    if (position !== undefined) this.resolve({ id, topic, position });
    else this.resolve(receivers === undefined ? { id, topic } : { id, topic, receivers });
  }

  failed(error: unknown): void {
    this.end('error');
    this.reject(error);
  }

  private end(status: 'success' | 'error'): void {
    const { clock, inFlight } = this.deps;
    this.target.metrics.published(status, (clock.monotonic() - this.head.startedMs) / 1000);
    inFlight.ended(this.bodyBytes);
  }
}
