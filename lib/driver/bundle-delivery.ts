import { type BundledFrame, isBundle, readBundle } from '../message/bundle.js';
import type { DecodedFrame } from '../message/frame.js';
import type { DeadLetterReason, Delivery, DeliveryPart } from './delivery.js';

const settled = Promise.resolve();

/** Hands over each frame of a fanned-out bundle as a delivery of its own, in order; a frame that is no bundle as it is. */
export function splitFanOut(delivery: Delivery, onDelivery: (delivery: Delivery) => void): void {
  const frames = framesOf(delivery);
  if (!frames) onDelivery(delivery);
  else for (const frame of frames) onDelivery(new FanOutPart(delivery, frame));
}

/**
 * The deliveries in a stored frame: itself, or each frame of a bundle save those that an earlier attempt has settled.
 * Each calls `onSettled` once its outcome is recorded, or could not be.
 */
export function storedDeliveries(delivery: Delivery, onSettled: () => void): Delivery[] {
  const frames = framesOf(delivery);
  if (!frames) return [new StoredDelivery(delivery, undefined, (outcome) => outcome, onSettled)];
  const open = frames
    .map((frame, index) => new BundlePart(index, frame))
    .filter(({ index }) => !delivery.settledParts?.has(index));
  if (open.length === 0) void delivery.ack().catch(() => {});
  const progress = new BundleProgress(delivery, open.length);
  const record = (outcome: Promise<void>) => progress.record(outcome);
  return open.map((part) => new StoredDelivery(delivery, part, record, onSettled));
}

/** Undefined for what is no bundle, and for one that cannot be split: that is the receiver's to refuse. */
function framesOf({ frame }: Delivery): readonly BundledFrame[] | undefined {
  if (!isBundle(frame)) return undefined;
  try {
    return readBundle(frame);
  } catch {
    return undefined;
  }
}

/** A frame of a fanned-out bundle: nothing keeps it, so there is nothing to settle. */
class FanOutPart implements Delivery {
  constructor(
    private readonly bundle: Delivery,
    private readonly part: BundledFrame,
  ) {}

  get frame(): Uint8Array {
    return this.part.bytes;
  }

  get decoded(): DecodedFrame | undefined {
    return this.part.decoded;
  }

  get topic(): string {
    return this.bundle.topic;
  }

  get attempt(): number {
    return this.bundle.attempt;
  }

  ack(): Promise<void> {
    return settled;
  }

  retry(): Promise<void> {
    return settled;
  }

  deadLetter(): Promise<void> {
    return settled;
  }
}

/** One message of a stored bundle. */
class BundlePart implements DeliveryPart {
  constructor(
    readonly index: number,
    private readonly bundled: BundledFrame,
  ) {}

  get frame(): Uint8Array {
    return this.bundled.bytes;
  }

  get decoded(): DecodedFrame | undefined {
    return this.bundled.decoded;
  }
}

/** How much of a stored bundle is still open; the bundle is acknowledged with its last part. */
class BundleProgress {
  constructor(
    private readonly bundle: Delivery,
    private open: number,
  ) {}

  /** Waits for a part's outcome to be recorded, then for the bundle's if it was the last. */
  async record(outcome: Promise<void>): Promise<void> {
    await outcome;
    this.open--;
    if (this.open === 0) await this.bundle.ack();
  }
}

/** A stored frame, or one of a stored bundle, settled by itself and once. A caller's own parts are passed on. */
class StoredDelivery implements Delivery {
  private settling?: Promise<void>;

  constructor(
    private readonly stored: Delivery,
    private readonly part: BundlePart | undefined,
    private readonly record: (outcome: Promise<void>) => Promise<void>,
    private readonly onSettled: () => void,
  ) {}

  get topic(): string {
    return this.stored.topic;
  }

  get frame(): Uint8Array {
    return this.part?.frame ?? this.stored.frame;
  }

  get decoded(): DecodedFrame | undefined {
    return this.part?.decoded;
  }

  get attempt(): number {
    return this.stored.attempt;
  }

  get crashes(): number | undefined {
    return this.stored.crashes;
  }

  get position(): string | undefined {
    const { position } = this.stored;
    return position === undefined || !this.part ? position : `${position}#${this.part.index}`;
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.part ? undefined : this.stored.settledParts;
  }

  ack(part?: DeliveryPart): Promise<void> {
    return part ? this.stored.ack(part) : this.once(() => this.stored.ack(this.part));
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    return part ? this.stored.retry(delayMs, part) : this.once(() => this.stored.retry(delayMs, this.part));
  }

  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (part) return this.stored.deadLetter(reason, part);
    return this.once(() => this.stored.deadLetter(reason, this.part));
  }

  private once(settle: () => Promise<void>): Promise<void> {
    if (this.settling) return settled;
    this.settling = this.record(settle());
    this.settling.then(this.onSettled, this.onSettled);
    return this.settling;
  }
}
