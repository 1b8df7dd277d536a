import type { Delivery } from '../../../driver/delivery.js';
import type { DriverSubscription } from '../../../driver/driver.js';
import { FanOutDelivery } from '../../../driver/fan-out-delivery.js';
import type { DiscoBusError } from '../../../errors/disco-bus-error.js';
import type { TopicMatcher } from '../../../message/topic-pattern.js';
import type { ChannelListener } from './channel-entry.js';

/** Who is handed what a subscription gets. */
export interface PubSubReceiver {
  onDelivery(delivery: Delivery): void;
  /** What arrives while it is paused. @default nobody is told */
  readonly onMissed?: (delivery: Delivery) => void;
}

/** One subscription to a topic or topic pattern. Messages that arrive while it is paused are missed. */
export class PubSubSubscription implements DriverSubscription, ChannelListener {
  private paused = false;
  private closing: Promise<void> | undefined;

  /** `leave` takes it off its channel, and resolves when nothing more is told; it is called once. */
  constructor(
    private readonly matches: TopicMatcher | undefined,
    private readonly receiver: PubSubReceiver,
    private readonly leave: (subscription: PubSubSubscription) => Promise<void>,
  ) {}

  receive(topic: string, frame: Uint8Array, refusal?: DiscoBusError): void {
    if (this.matches !== undefined && !this.matches(topic)) return;
    const { receiver } = this;
    if (!this.paused) receiver.onDelivery(new FanOutDelivery(topic, frame, refusal));
    else receiver.onMissed?.(new FanOutDelivery(topic, frame, refusal));
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close(): Promise<void> {
    this.closing ??= this.leave(this);
    return this.closing;
  }
}
