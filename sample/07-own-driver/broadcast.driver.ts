import { BroadcastChannel } from 'node:worker_threads';
import {
  AbortedError,
  ClosedError,
  type DiscoDriver,
  type DriverContext,
  DriverError,
  type DriverStatusListener,
  DriverStatusListeners,
  type DriverSubscription,
  FanOutDelivery,
  handOver,
  NotConnectedError,
} from 'nestjs-disco-bus/driver';

const no = { patterns: false, groups: false, delay: false, backlog: false, persistent: false };

/** Moves frames between all threads of a process, over Node's BroadcastChannel. */
export class BroadcastDriver implements DiscoDriver {
  readonly name = 'broadcast';
  readonly capabilities = { 'at-most-once': { ...no, deduplication: false, ordered: true, parts: true } };
  private readonly subscriptions = new Set<DriverSubscription>();
  private readonly paused = new WeakSet<BroadcastChannel>();
  private readonly listeners = new DriverStatusListeners();
  private prefix?: string;
  private closed = false;
  readonly ping = async () => this.channel('ping').close();

  async connect({ prefix = 'disco' }: DriverContext = {}): Promise<void> {
    if (this.closed) throw new ClosedError('The driver is closed');
    this.prefix = prefix;
    this.listeners.emit({ type: 'connected' });
  }

  async publish(...[topic, frame, { signal }]: Parameters<DiscoDriver['publish']>) {
    if (signal?.aborted) throw new AbortedError(signal.reason);
    const channel = this.channel(topic);
    channel.postMessage(frame);
    channel.close();
    return {};
  }

  async subscribe(...[topic, , onDelivery]: Parameters<DiscoDriver['subscribe']>) {
    const channel = this.channel(topic);
    channel.onmessage = (message) => {
      const { data: frame } = message as { data: Uint8Array };
      if (!this.paused.has(channel)) handOver(new FanOutDelivery(topic, frame), onDelivery, this.onFault);
    };
    const close = async () => {
      channel.close();
      this.subscriptions.delete(subscription);
    };
    const pause = () => void this.paused.add(channel);
    const subscription = { pause, resume: () => void this.paused.delete(channel), close };
    this.subscriptions.add(subscription);
    return subscription;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const subscription of this.subscriptions) await subscription.close();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.listeners.add(listener);
  }

  /** A subscriber has thrown: that ends no subscription, and is told. */
  private readonly onFault = (cause: unknown): void => {
    const error = new DriverError('A subscriber threw', { cause });
    this.listeners.emit({ type: 'error', error });
  };

  private channel(topic: string): BroadcastChannel {
    if (this.closed) throw new ClosedError('The driver is closed');
    if (this.prefix === undefined) throw new NotConnectedError('The driver is not connected');
    return new BroadcastChannel(`${this.prefix}:${topic}`);
  }
}
