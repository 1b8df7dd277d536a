import type { Delivery } from '../../driver/delivery.js';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import type { DecodedFrame } from '../../message/frame.js';
import type { Clock, ClockTimer } from '../../timing/clock.js';
import type { Backlog } from './backlog.js';

const settled = Promise.resolve();

/** What {@link LocalRetries} work with. */
export interface LocalRetriesOptions {
  readonly clock: Clock;
  /** What waits for its next attempt counts there. */
  readonly backlog: Backlog;
  /** A copy of a frame that keeps no other memory alive. */
  readonly copy: (frame: Uint8Array) => Uint8Array;
  /** The time of a retry has come. */
  readonly again: (delivery: Delivery) => void;
  /** Told of each that gave way. */
  readonly onOverflow: () => void;
  /** Told of each that is given up when it closes. */
  readonly onLost: () => void;
}

/** The retries of a fan-out subscription: kept in this process, within its backlog, and lost with it. */
export class LocalRetries {
  /** What waits, oldest first, and what each counts as. */
  private readonly timers = new Map<ClockTimer, number>();
  private closed = false;

  constructor(readonly options: LocalRetriesOptions) {}

  /** `delivery` with retries: nobody else keeps it. */
  wrap(delivery: Delivery): LocalDelivery {
    return new LocalDelivery(delivery, delivery.attempt, this, this.options.clock.monotonic());
  }

  /** `delivery` with retries, without the bundle that it came in. */
  detached(delivery: Delivery): Delivery {
    const own = delivery instanceof LocalDelivery ? delivery : this.wrap(delivery);
    own.detach();
    return own;
  }

  schedule(delivery: LocalDelivery, delayMs: number): void {
    const { backlog, clock, again, onOverflow, onLost } = this.options;
    if (this.closed) {
      onLost();
      return;
    }
    const bytes = delivery.detach();
    if (!backlog.makeRoom(bytes, this.giveUpOldest)) {
      onOverflow();
      return;
    }
    const timer = clock.setTimeout(() => {
      this.forget(timer, bytes);
      again(delivery);
    }, delayMs);
    this.timers.set(timer, bytes);
    backlog.add(bytes);
  }

  /** Gives up the retry that has waited for longest; false when none waits. */
  readonly giveUpOldest = (): boolean => {
    for (const [timer, bytes] of this.timers) {
      this.giveUp(timer, bytes);
      this.options.onOverflow();
      return true;
    }
    return false;
  };

  /** Gives up what waits, and what would wait from now on. */
  close(): void {
    this.closed = true;
    for (const [timer, bytes] of this.timers) {
      this.giveUp(timer, bytes);
      this.options.onLost();
    }
  }

  private giveUp(timer: ClockTimer, bytes: number): void {
    this.options.clock.clearTimeout(timer);
    this.forget(timer, bytes);
  }

  private forget(timer: ClockTimer, bytes: number): void {
    this.timers.delete(timer);
    this.options.backlog.remove(bytes);
  }
}

/** What was delivered; bundling has read it already where `decoded` is given. */
interface Original {
  readonly topic: string;
  readonly frame: Uint8Array;
  readonly decoded?: DecodedFrame;
  readonly refusal?: DiscoBusError;
}

class LocalDelivery implements Delivery {
  constructor(
    private original: Original,
    readonly attempt: number,
    private readonly retries: LocalRetries,
    private readonly cameMs: number,
    /** Whether its frame shares memory with nothing else. */
    private own = false,
  ) {}

  get ageMs(): number {
    return this.retries.options.clock.monotonic() - this.cameMs;
  }

  get topic(): string {
    return this.original.topic;
  }

  get frame(): Uint8Array {
    return this.original.frame;
  }

  get decoded(): DecodedFrame | undefined {
    return this.original.decoded;
  }

  get refusal(): DiscoBusError | undefined {
    return this.original.refusal;
  }

  /** Keeps a copy of its frame and nothing else; returns how many bytes that are. */
  detach(): number {
    if (!this.own) {
      const { topic, frame, refusal } = this.original;
      this.original = { topic, frame: this.retries.options.copy(frame), refusal };
      this.own = true;
    }
    return this.original.frame.byteLength;
  }

  ack(): Promise<void> {
    return settled;
  }

  retry(delayMs: number): Promise<void> {
    const next = new LocalDelivery(this.original, this.attempt + 1, this.retries, this.cameMs, this.own);
    this.retries.schedule(next, delayMs);
    return settled;
  }

  deadLetter(): Promise<void> {
    return settled;
  }
}
