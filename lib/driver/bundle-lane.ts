import { joinBundle } from '../message/bundle.js';
import type { DiscoDriver, DriverPublishOptions, DriverReceipt } from './driver.js';

/** When a bundle is full. */
export interface BundleLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** The frames of one turn, and what their publishers wait for. */
class OpenBundle {
  readonly frames: Uint8Array[] = [];
  sizeBytes = 0;
  readonly receipt: Promise<DriverReceipt>;
  settle!: (receipt: Promise<DriverReceipt>) => void;

  constructor(
    readonly options: DriverPublishOptions,
    readonly openedMs: number,
  ) {
    this.receipt = new Promise((resolve) => {
      this.settle = resolve;
    });
  }
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
  accepts(options: DriverPublishOptions): boolean {
    return options.timeoutMs === this.timeoutMs;
  }

  add(frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    if (this.open && this.open.sizeBytes + frame.length > this.limits.maxBytes) this.flush();
    this.open ??= this.openBundle(options);
    const bundle = this.open;
    const index = bundle.frames.push(frame) - 1;
    bundle.sizeBytes += frame.length;
    if (bundle.frames.length >= this.limits.maxMessages) this.flush();
    if (options.delivery === 'at-most-once') return bundle.receipt;
    return bundle.receipt.then((receipt) => partReceipt(receipt, index, bundle.frames.length));
  }

  /** Sends what is waiting, now. */
  flush(): void {
    const bundle = this.open;
    if (!bundle) return;
    this.open = undefined;
    this.unconfirmed++;
    const sent = this.driver.publish(this.topic, toFrame(bundle.frames), remaining(bundle));
    bundle.settle(sent);
    const confirmed = () => this.confirmed();
    sent.then(confirmed, confirmed);
  }

  private openBundle(options: DriverPublishOptions): OpenBundle {
    if (this.unconfirmed === 0) queueMicrotask(() => this.flush());
    return new OpenBundle(options, performance.now());
  }

  private confirmed(): void {
    this.unconfirmed--;
    if (this.open) this.flush();
    else if (this.unconfirmed === 0) this.onIdle();
  }
}

function toFrame(frames: readonly Uint8Array[]): Uint8Array {
  return frames.length === 1 ? frames[0] : joinBundle(frames);
}

/** The publish options with the time that the first frame has already waited taken off. */
function remaining({ options, openedMs, frames }: OpenBundle): DriverPublishOptions {
  const waitedMs = performance.now() - openedMs;
  if (frames.length === 1 && waitedMs < 1) return options;
  return { ...options, timeoutMs: Math.max(1, Math.floor(options.timeoutMs - waitedMs)) };
}

function partReceipt(receipt: DriverReceipt, index: number, count: number): DriverReceipt {
  if (count === 1 || receipt.position === undefined) return receipt;
  return { ...receipt, position: `${receipt.position}#${index}` };
}
