import { partPosition } from '../driver/delivery.js';
import type { DiscoDriver, DriverPublishOptions, DriverReceipt } from '../driver/driver.js';
import { PublishTimeoutError } from '../errors/publish.errors.js';
import { joinBundle } from '../message/bundle.js';
import { MAX_BUNDLE_MESSAGES } from '../message/frame.js';
import { EncodedFrame, type OutgoingFrame } from '../message/outgoing-frame.js';
import { RunWriter } from '../message/run-writer.js';
import type { Clock } from '../timing/clock.js';

/** When a bundle is full. */
export interface BundleLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** How a message is to be published; the bundle that it travels in has the id and the count. */
export type MessagePublishOptions = Omit<DriverPublishOptions, 'id' | 'messages'>;

/** Who waits for a message to be accepted. One of the two is called, once. */
export interface PublishListener {
  /** When the time of the message began, on the clock of the bundling. @default when it is sent */
  readonly startedMs?: number;
  /** `position`: where the message is kept, with its place in the bundle that it travelled in; undefined when nothing keeps it. */
  accepted(receipt: DriverReceipt, position: string | undefined): void;
  /** With what a driver's `publish` rejects with. */
  failed(error: unknown): void;
}

/** The busy lanes of one guarantee, and what they share. */
export interface BundleLanes {
  readonly driver: DiscoDriver;
  readonly limits: BundleLimits;
  readonly clock: Clock;
  readonly byTopic: Map<string, BundleLane>;
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
    readonly startedMs: number,
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
 * All messages of a lane have one timeout: the bundle that is waited for ends before the one that waits, so a lane needs no
 * timer. It lives while it has messages waiting or on their way, so that a million topics leave nothing behind.
 */
export class BundleLane {
  private open?: OpenBundle;
  private unconfirmed = 0;

  constructor(
    private readonly lanes: BundleLanes,
    private readonly topic: string,
    readonly timeoutMs: number,
  ) {}

  /** Tells `listener` of the outcome later. */
  add(frame: OutgoingFrame | EncodedFrame, options: MessagePublishOptions, listener: PublishListener): void {
    const { maxBytes, maxMessages } = this.lanes.limits;
    if (this.open && !this.open.hasRoomFor(frame, maxBytes)) this.flush();
    this.open ??= this.openBundle(options, frame.id, listener);
    this.open.add(frame, listener);
    if (this.open.listeners.length >= Math.min(maxMessages, MAX_BUNDLE_MESSAGES)) this.flush();
  }

  /** Sends what is waiting, now. */
  flush(): void {
    const bundle = this.open;
    if (!bundle) return;
    this.open = undefined;
    this.unconfirmed++;
    void send(this.lanes, this.topic, bundle).then(this.confirmed);
  }

  private openBundle(options: MessagePublishOptions, id: string, { startedMs }: PublishListener): OpenBundle {
    if (this.unconfirmed === 0) queueMicrotask(() => this.flush());
    return new OpenBundle(options, id, startedMs ?? this.lanes.clock.monotonic());
  }

  private readonly confirmed = (): void => {
    this.unconfirmed--;
    if (this.open) this.flush();
    else if (this.unconfirmed === 0) this.lanes.byTopic.delete(this.topic);
  };
}

/** Sends a message by itself, past any lane. */
export function sendAlone(
  lanes: BundleLanes,
  topic: string,
  frame: OutgoingFrame | EncodedFrame,
  { options, listener }: { options: MessagePublishOptions; listener: PublishListener },
): void {
  const bundle = new OpenBundle(options, frame.id, listener.startedMs ?? lanes.clock.monotonic());
  bundle.add(frame, listener);
  void send(lanes, topic, bundle);
}

/** Resolves when all who wait for a message of `bundle` are told. */
function send(lanes: BundleLanes, topic: string, bundle: OpenBundle): Promise<void> {
  const { listeners } = bundle;
  return publish(lanes, topic, bundle).then(
    (receipt) => {
      const { position } = receipt;
      const parted = position !== undefined && listeners.length > 1;
      for (let part = 0; part < listeners.length; part++)
        listeners[part].accepted(receipt, parted ? partPosition(position, part) : position);
    },
    (error: unknown) => {
      for (const listener of listeners) listener.failed(error);
    },
  );
}

/** What cannot be encoded, or is late, fails its publishers, not the process. */
async function publish(lanes: BundleLanes, topic: string, bundle: OpenBundle): Promise<DriverReceipt> {
  const { id, options, listeners, startedMs } = bundle;
  const timeoutMs = timeLeft(topic, options.timeoutMs, lanes.clock.monotonic() - startedMs);
  const messages = listeners.length;
  return lanes.driver.publish(topic, bundle.encode(), { ...options, id, messages, timeoutMs });
}

/** The time that is left of a message's. Throws PublishTimeoutError where none is. Milliseconds. */
function timeLeft(topic: string, timeoutMs: number, waitedMs: number): number {
  if (waitedMs < 1) return timeoutMs;
  const leftMs = Math.floor(timeoutMs - waitedMs);
  if (leftMs < 1) throw new PublishTimeoutError(topic, timeoutMs);
  return leftMs;
}
