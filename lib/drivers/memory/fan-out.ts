import { type Delivery } from '../../driver/delivery.js';
import { FanOutDelivery } from '../../driver/fan-out-delivery.js';
import { handOver } from '../../driver/guarded-delivery.js';
import { isTopicPattern, type TopicMatcher, topicMatcher } from '../../message/topic-pattern.js';
import { type Turn } from './turn.js';

/** One live listener of the fan-out. */
export class FanOutSubscription {
  open = true;
  private paused = false;
  private readonly matches: TopicMatcher;

  constructor(
    readonly name: string,
    private readonly onDelivery: (delivery: Delivery) => void,
    private readonly onFault: (thrown: unknown) => void,
    private readonly onMissed: ((delivery: Delivery) => void) | undefined,
  ) {
    this.matches = topicMatcher(name);
  }

  wants(topic: string): boolean {
    return !this.paused && this.matches(topic);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  deliver(delivery: Delivery): void {
    if (!this.open) return;
    const receive = this.paused ? this.onMissed : this.onDelivery;
    if (receive) handOver(delivery, receive, this.onFault);
  }
}

type Receivers = readonly FanOutSubscription[];
const nobody: Receivers = [];

/** Hands each frame to every subscription that is live when it is published, after the publisher's own turn. */
export class FanOut {
  private readonly exact = new Map<string, Receivers>();
  private patterns: Receivers = nobody;
  private pending: (() => void)[] = [];

  constructor(private readonly turn: Turn) {}

  add(subscription: FanOutSubscription): void {
    const { name } = subscription;
    if (isTopicPattern(name)) this.patterns = [...this.patterns, subscription];
    else this.exact.set(name, [...(this.exact.get(name) ?? nobody), subscription]);
  }

  /** Sends nothing more to the subscription; resolves when what is on its way has reached it. */
  leave(subscription: FanOutSubscription): Promise<void> {
    this.takeOff(subscription);
    return new Promise((resolve) =>
      this.later(() => {
        subscription.open = false;
        resolve();
      }),
    );
  }

  /** Ends the subscription at once, also for what is on its way to it. */
  remove(subscription: FanOutSubscription): void {
    subscription.open = false;
    this.takeOff(subscription);
  }

  private takeOff(subscription: FanOutSubscription): void {
    const { name } = subscription;
    const without = (receivers: Receivers = nobody) => receivers.filter((other) => other !== subscription);
    if (isTopicPattern(name)) this.patterns = without(this.patterns);
    else this.exact.set(name, without(this.exact.get(name)));
    if (this.exact.get(name)?.length === 0) this.exact.delete(name);
  }

  /** Sends `frame`, which is copied, and tells how many will get it. */
  publish(topic: string, frame: Uint8Array): number {
    const receivers = this.receivers(topic);
    if (receivers.length === 0) return 0;
    const delivery = new FanOutDelivery(topic, Buffer.from(frame));
    this.later(() => {
      for (const receiver of receivers) receiver.deliver(delivery);
    });
    return receivers.length;
  }

  run(): void {
    const sent = this.pending;
    this.pending = [];
    for (const step of sent) step();
  }

  private later(step: () => void): void {
    if (this.pending.push(step) === 1) this.turn.add(this);
  }

  private receivers(topic: string): Receivers {
    let receivers = this.exact.get(topic) ?? nobody;
    if (this.patterns.length > 0) receivers = [...receivers, ...this.patterns];
    return receivers.every((receiver) => receiver.wants(topic))
      ? receivers
      : receivers.filter((receiver) => receiver.wants(topic));
  }
}
