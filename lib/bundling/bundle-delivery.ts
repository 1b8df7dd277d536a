import { type DeadLetterReason, type Delivery, type DeliveryPart, partPosition } from '../driver/delivery.js';
import { handOver } from '../driver/guarded-delivery.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { type BundledFrame, isBundle, readBundle } from '../message/bundle.js';
import type { DecodedFrame } from '../message/frame.js';

const settled = Promise.resolve();

/** Hands over each frame of a fanned-out bundle as a delivery of its own, in order; a frame that is no bundle as it is. */
export function splitFanOut(
  delivery: Delivery,
  onDelivery: (delivery: Delivery) => void,
  onFault: (thrown: unknown) => void,
): void {
  const frames = framesOf(delivery);
  if (!frames) handOver(delivery, onDelivery, onFault);
  else for (const frame of frames) handOver(new FanOutPart(delivery, frame), onDelivery, onFault);
}

/**
 * The deliveries in a stored frame: itself, or each frame of a bundle save those that an earlier attempt has settled.
 * Each calls `onSettled` once its outcome is recorded, or could not be.
 */
export function storedDeliveries(delivery: Delivery, onSettled: () => void): Delivery[] {
  const frames = framesOf(delivery);
  if (!frames) return [new StoredDelivery(delivery, undefined, new SoleLedger(onSettled))];
  const open = frames
    .map((frame, index) => new BundlePart(index, frame))
    .filter(({ index }) => !delivery.settledParts?.has(index));
  if (open.length === 0) void delivery.ack().catch(() => {});
  const ledger = new BundleLedger(delivery, open.length, onSettled);
  return open.map((part) => new StoredDelivery(delivery, part, ledger));
}

/** Undefined for what is no bundle, and for one that cannot be split: that is the receiver's to refuse. */
function framesOf({ frame, refusal }: Delivery): readonly BundledFrame[] | undefined {
  if (refusal || !isBundle(frame)) return undefined;
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

/** What follows from an outcome once it is recorded, or could not be. */
interface Ledger {
  /** Resolves when all that `outcome` brings about is recorded. */
  record(outcome: Promise<void>): Promise<void>;
}

/** Of a frame that travelled alone. */
class SoleLedger implements Ledger {
  constructor(private readonly onSettled: () => void) {}

  record(outcome: Promise<void>): Promise<void> {
    outcome.then(this.onSettled, this.onSettled);
    return outcome;
  }
}

/** Of the parts of a bundle, which is acknowledged with the last of them. */
class BundleLedger implements Ledger {
  constructor(
    private readonly bundle: Delivery,
    private open: number,
    private readonly onSettled: () => void,
  ) {}

  record(outcome: Promise<void>): Promise<void> {
    return outcome.then(this.recorded, this.lost);
  }

  private readonly recorded = (): Promise<void> | undefined => {
    this.open--;
    this.onSettled();
    return this.open === 0 ? this.bundle.ack() : undefined;
  };

  /** It comes back by itself, and so must the bundle. */
  private readonly lost = (error: unknown): never => {
    this.onSettled();
    throw error;
  };
}

/** A stored frame, or one of a stored bundle, settled by itself and once. A caller's own parts are passed on. */
class StoredDelivery implements Delivery {
  private settled = false;

  constructor(
    private readonly stored: Delivery,
    private readonly part: BundlePart | undefined,
    private readonly ledger: Ledger,
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

  get refusal(): DiscoBusError | undefined {
    return this.stored.refusal;
  }

  get attempt(): number {
    return this.stored.attempt;
  }

  get waits(): number | undefined {
    return this.stored.waits;
  }

  get crashes(): number | undefined {
    return this.stored.crashes;
  }

  get replays(): number | undefined {
    return this.stored.replays;
  }

  get ageMs(): number | undefined {
    return this.stored.ageMs;
  }

  get position(): string | undefined {
    const { position } = this.stored;
    return position === undefined ? undefined : partPosition(position, this.part?.index);
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.part ? undefined : this.stored.settledParts;
  }

  begin(part?: DeliveryPart): void {
    this.stored.begin?.(part ?? this.part);
  }

  ack(part?: DeliveryPart): Promise<void> {
    if (part) return this.stored.ack(part);
    return this.settle() ? this.record(() => this.stored.ack(this.part)) : settled;
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (part) return this.stored.retry(delayMs, part);
    return this.settle() ? this.record(() => this.stored.retry(delayMs, this.part)) : settled;
  }

  release(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (this.stored.release === undefined) return this.retry(delayMs, part);
    if (part) return this.stored.release(delayMs, part);
    return this.settle() ? this.record(() => this.stored.release!(delayMs, this.part)) : settled;
  }

  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (part) return this.stored.deadLetter(reason, part);
    return this.settle() ? this.record(() => this.stored.deadLetter(reason, this.part)) : settled;
  }

  /** An outcome that cannot even be asked for is one that could not be recorded. */
  private record(outcome: () => Promise<void>): Promise<void> {
    let recording: Promise<void>;
    try {
      recording = outcome();
    } catch (error) {
      recording = Promise.reject(error);
    }
    return this.ledger.record(recording);
  }

  /** True for the one call that settles. */
  private settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    return true;
  }
}
