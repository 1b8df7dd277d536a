import { joinBundle } from '../message/bundle.js';
import { MAX_BUNDLE_MESSAGES } from '../message/frame.js';
import { EncodedFrame, type OutgoingFrame } from '../message/outgoing-frame.js';
import { RunWriter } from '../message/run-writer.js';
import type { DiscoDriver, DriverPublishOptions, DriverReceipt } from './driver.js';
import type { MessagePublishOptions, PublishListener } from './message-driver.js';

/** When a bundle is full. */
export interface BundleLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** The bytes that a message takes beside its body and its headers, about. */
const HEAD_BYTES = 64;
/** The same for one that joins a run. */
const RUN_BYTES = 3;

/** The messages of one turn, and who waits for each of them. */
class OpenBundle {
  readonly listeners: PublishListener[] = [];
  /** Runs, and frames that came encoded, in order. */
  private readonly parts: (RunWriter | EncodedFrame)[] = [];
  private run: RunWriter | undefined;
  private sizeBytes = 0;

  constructor(
    readonly options: MessagePublishOptions,
    /** Names the bundle: the id of its first message. */
    readonly id: string,
    readonly openedMs: number,
  ) {}

  /** Whether `frame` fits in, whatever it brings along. */
  hasRoomFor(frame: OutgoingFrame | EncodedFrame, maxBytes: number): boolean {
    const headBytes = frame instanceof EncodedFrame ? 0 : HEAD_BYTES;
    return this.sizeBytes + lengthOf(frame) + headBytes <= maxBytes;
  }

  add(frame: OutgoingFrame | EncodedFrame, listener: PublishListener): void {
    this.listeners.push(listener);
    this.sizeBytes += lengthOf(frame);
    if (frame instanceof EncodedFrame) {
      this.parts.push(frame);
      this.run = undefined;
    } else if (this.run?.takes(frame)) {
      this.run.add(frame);
      this.sizeBytes += RUN_BYTES;
    } else {
      this.run = new RunWriter(frame);
      this.parts.push(this.run);
      this.sizeBytes += HEAD_BYTES + headersBytes(frame);
    }
  }

  encode(): Uint8Array {
    const frames = this.parts.map((part) => (part instanceof EncodedFrame ? part.bytes : part.encode()));
    return frames.length === 1 ? frames[0] : joinBundle(frames);
  }
}

/** At the most, without encoding them: a bundle must not outgrow what its readers take. */
function headersBytes({ headers }: OutgoingFrame): number {
  let bytes = 0;
  for (const name in headers) bytes += name.length + 3 * headers[name].length;
  return bytes;
}

function lengthOf(frame: OutgoingFrame | EncodedFrame): number {
  return frame instanceof EncodedFrame ? frame.bytes.length : frame.bodyBytes;
}

/**
 * The bundles of one topic. A bundle goes out at the end of the turn that opened it; while an earlier one is still
 * unconfirmed it waits for that instead, so that a busy topic makes fewer and fuller bundles, and it goes at once when full.
 */
export class BundleLane {
  private open?: OpenBundle;
  private unconfirmed = 0;

  constructor(
    private readonly driver: DiscoDriver,
    private readonly topic: string,
    private readonly timeoutMs: number,
    private readonly limits: BundleLimits,
    private readonly onIdle: () => void,
  ) {}

  /** Frames of one lane share one timeout: the one waited for then always ends before the one that waits. */
  accepts(options: MessagePublishOptions): boolean {
    return options.timeoutMs === this.timeoutMs;
  }

  /** Tells `listener` of the outcome later. */
  add(frame: OutgoingFrame | EncodedFrame, options: MessagePublishOptions, listener: PublishListener): void {
    if (this.open && !this.open.hasRoomFor(frame, this.limits.maxBytes)) this.flush();
    this.open ??= this.openBundle(options, frame.id);
    this.open.add(frame, listener);
    if (this.open.listeners.length >= Math.min(this.limits.maxMessages, MAX_BUNDLE_MESSAGES)) this.flush();
  }

  /** Sends what is waiting, now. */
  flush(): void {
    const bundle = this.open;
    if (!bundle) return;
    this.open = undefined;
    this.unconfirmed++;
    this.publish(bundle).then(
      (receipt) => {
        accept(bundle.listeners, receipt);
        this.confirmed();
      },
      (error: unknown) => {
        for (const listener of bundle.listeners) listener.failed(error);
        this.confirmed();
      },
    );
  }

  /** What cannot be encoded fails its publishers, not the process. */
  private async publish(bundle: OpenBundle): Promise<DriverReceipt> {
    return this.driver.publish(this.topic, bundle.encode(), driverOptions(bundle));
  }

  private openBundle(options: MessagePublishOptions, id: string): OpenBundle {
    if (this.unconfirmed === 0) queueMicrotask(() => this.flush());
    return new OpenBundle(options, id, performance.now());
  }

  private confirmed(): void {
    this.unconfirmed--;
    if (this.open) this.flush();
    else if (this.unconfirmed === 0) this.onIdle();
  }
}

function accept(listeners: readonly PublishListener[], receipt: DriverReceipt): void {
  if (listeners.length === 1) listeners[0].accepted(receipt, undefined);
  else for (let part = 0; part < listeners.length; part++) listeners[part].accepted(receipt, part);
}

/** The options of the first message, with the time that it has already waited taken off. */
function driverOptions({ options, id, openedMs, listeners }: OpenBundle): DriverPublishOptions {
  const waitedMs = performance.now() - openedMs;
  const { timeoutMs } = options;
  const messages = listeners.length;
  if (messages === 1 && waitedMs < 1) return { ...options, id };
  return { ...options, id, messages, timeoutMs: Math.max(1, Math.floor(timeoutMs - waitedMs)) };
}
