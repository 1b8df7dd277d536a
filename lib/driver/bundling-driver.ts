import { ClosedError } from '../errors/bus.errors.js';
import { splitFanOut } from './bundle-delivery.js';
import { BundleLane, type BundleLimits } from './bundle-lane.js';
import type { DeliveryGuarantee, DriverCapabilities } from './capabilities.js';
import type { Delivery } from './delivery.js';
import { DeliveryGate } from './delivery-gate.js';
import type {
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from './driver.js';
import type { DriverStatusListener } from './driver-status.js';

/** How large a bundle may grow, per delivery guarantee. */
export type BundlingOptions = { readonly [guarantee in DeliveryGuarantee]?: Partial<BundleLimits> };

const defaultLimits: Record<DeliveryGuarantee, BundleLimits> = {
  'at-most-once': { maxMessages: 512, maxBytes: 16 * 1024 },
  'at-least-once': { maxMessages: 32, maxBytes: 16 * 1024 },
};

/**
 * A driver that joins the frames published to one topic within one turn of the event loop into a bundle, and splits
 * bundles on delivery. A lone frame is passed on as it is and waits for nothing. Order per topic is kept. Frames with a
 * delay, a ttl, a signal or an id of the caller's own travel alone, and stored ones with a key; what is `bare` is neither
 * joined nor split.
 */
export class BundlingDriver implements DiscoDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  private readonly lanes = new Map<string, BundleLane>();
  private closed = false;

  constructor(
    private readonly inner: DiscoDriver,
    private readonly options: BundlingOptions = {},
  ) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
  }

  connect(context?: DriverContext): Promise<void> {
    return this.inner.connect(context);
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    if (this.closed) return Promise.reject(new ClosedError('The driver is closed'));
    if (options.bare || !this.capabilities[options.delivery]?.parts)
      return this.inner.publish(topic, frame, options);
    const key = options.delivery === 'at-most-once' ? topic : `+${topic}`;
    const lane = this.lanes.get(key) ?? this.openLane(key, topic, options);
    if (!travelsAlone(options) && lane.accepts(options)) return lane.add(frame, options);
    lane.flush();
    return this.inner.publish(topic, frame, options);
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    if (options.bare) return this.inner.subscribe(topicOrPattern, options, onDelivery);
    if (options.delivery === 'at-most-once') {
      return this.inner.subscribe(topicOrPattern, options, (delivery) => splitFanOut(delivery, onDelivery));
    }
    const gate = new DeliveryGate(options.maxInFlight, onDelivery);
    return gate.subscription(await this.inner.subscribe(topicOrPattern, options, gate.receive));
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const lane of this.lanes.values()) lane.flush();
    await this.inner.close();
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.inner.onStatus(listener);
  }

  /** A lane lives while it has frames waiting or on their way, so that a million topics leave nothing behind. */
  private openLane(key: string, topic: string, { delivery, timeoutMs }: DriverPublishOptions): BundleLane {
    const limits = { ...defaultLimits[delivery], ...this.options[delivery] };
    const lane = new BundleLane(this.inner, topic, timeoutMs, limits, () => this.lanes.delete(key));
    this.lanes.set(key, lane);
    return lane;
  }
}

function travelsAlone(options: DriverPublishOptions): boolean {
  return (
    options.deduplicate === true ||
    // After a crash the frames of a bundle are tried one by one, behind later ones.
    (options.key !== undefined && options.delivery === 'at-least-once') ||
    options.delayMs !== undefined ||
    options.ttlMs !== undefined ||
    options.signal !== undefined
  );
}
