import { splitBundle } from '../message/bundle.js';
import type { DeliveryGuarantee } from './capabilities.js';
import type { DeadLetterReason, Delivery, DeliveryPart } from './delivery.js';

/**
 * Hands over each frame of a bundle as a delivery of its own, in order, save those an earlier attempt has settled. A
 * bundle that cannot be split is handed over whole: it is the receiver's to refuse.
 */
export function splitDelivery(
  bundle: Delivery,
  guarantee: DeliveryGuarantee,
  onDelivery: (delivery: Delivery) => void,
): void {
  let frames: readonly Uint8Array[];
  try {
    frames = splitBundle(bundle.frame);
  } catch {
    onDelivery(bundle);
    return;
  }
  if (guarantee === 'at-most-once') {
    for (const frame of frames) onDelivery(new FanOutPart(bundle, frame));
    return;
  }
  const open = frames.length - (bundle.settledParts?.size ?? 0);
  const progress = new BundleProgress(bundle, open);
  frames.forEach((frame, index) => {
    if (!bundle.settledParts?.has(index)) onDelivery(new StoredPart(progress, { index, frame }));
  });
  if (open <= 0) void bundle.ack().catch(() => {});
}

const settled = Promise.resolve();

/** A frame of a fanned-out bundle: nothing keeps it, so there is nothing to settle. */
class FanOutPart implements Delivery {
  constructor(
    private readonly bundle: Delivery,
    readonly frame: Uint8Array,
  ) {}

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

/** How much of a stored bundle is still open; the bundle is acknowledged with its last part. */
class BundleProgress {
  constructor(
    readonly bundle: Delivery,
    private open: number,
  ) {}

  /** Waits for a part's outcome to be recorded, then for the bundle's if it was the last. */
  async record(outcome: Promise<void>): Promise<void> {
    await outcome;
    this.open--;
    if (this.open === 0) await this.bundle.ack();
  }
}

/** A frame of a stored bundle, settled by itself. */
class StoredPart implements Delivery {
  private settling?: Promise<void>;

  constructor(
    private readonly progress: BundleProgress,
    private readonly part: DeliveryPart,
  ) {}

  get topic(): string {
    return this.progress.bundle.topic;
  }

  get frame(): Uint8Array {
    return this.part.frame;
  }

  get attempt(): number {
    return this.progress.bundle.attempt;
  }

  get position(): string | undefined {
    const { position } = this.progress.bundle;
    return position === undefined ? undefined : `${position}#${this.part.index}`;
  }

  ack(): Promise<void> {
    return this.once((bundle) => bundle.ack(this.part));
  }

  retry(delayMs: number): Promise<void> {
    return this.once((bundle) => bundle.retry(delayMs, this.part));
  }

  deadLetter(reason: DeadLetterReason): Promise<void> {
    return this.once((bundle) => bundle.deadLetter(reason, this.part));
  }

  private once(settle: (bundle: Delivery) => Promise<void>): Promise<void> {
    if (this.settling) return settled;
    this.settling = this.progress.record(settle(this.progress.bundle));
    return this.settling;
  }
}
