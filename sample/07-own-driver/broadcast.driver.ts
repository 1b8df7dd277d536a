import { BroadcastChannel } from 'node:worker_threads';
import {
  AbortedError,
  ClosedError,
  type DiscoDriver,
  type DriverContext,
  type DriverStatusListener,
  type DriverSubscription,
  NotConnectedError,
} from 'nestjs-disco-bus';

const no = { patterns: false, groups: false, delay: false, backlog: false, persistent: false };
const settled = async () => {};

/** Moves frames between all threads of a process, over Node's BroadcastChannel. */
export class BroadcastDriver implements DiscoDriver {
  readonly name = 'broadcast';
  readonly capabilities = { 'at-most-once': { ...no, deduplication: false, ordered: true, parts: true } };
  private readonly subscriptions = new Set<DriverSubscription>();
  private readonly paused = new WeakSet<BroadcastChannel>();
  private readonly listeners = new Set<DriverStatusListener>();
  private prefix?: string;
  private closed = false;
  readonly ping = async () => this.channel('ping').close();

  async connect({ prefix = 'disco' }: DriverContext = {}): Promise<void> {
    if (this.closed) throw new ClosedError('The driver is closed');
    this.prefix = prefix;
    for (const listener of this.listeners) guarded(() => listener({ type: 'connected' }));
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
      const delivery = { topic, frame, attempt: 1, ack: settled, retry: settled, deadLetter: settled };
      if (!this.paused.has(channel)) guarded(() => onDelivery(delivery));
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
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private channel(topic: string): BroadcastChannel {
    if (this.closed) throw new ClosedError('The driver is closed');
    if (this.prefix === undefined) throw new NotConnectedError('The driver is not connected');
    return new BroadcastChannel(`${this.prefix}:${topic}`);
  }
}

/** Somebody else's fault must not end a subscription, or keep others from being told. */
function guarded(call: () => void): void {
  try {
    call();
  } catch {}
}
