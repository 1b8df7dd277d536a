import { inNobodysContext } from '../driver/async-context.js';
import type { DeliveryGuarantee, DriverCapabilities } from '../driver/capabilities.js';
import type { Delivery } from '../driver/delivery.js';
import type {
  DiscoDriver,
  DriverContext,
  DriverPublishOptions,
  DriverReceipt,
  DriverSubscribeOptions,
  DriverSubscription,
} from '../driver/driver.js';
import { type DriverStatusListener, DriverStatusListeners } from '../driver/driver-status.js';
import { handOver } from '../driver/guarded-delivery.js';
import { assertOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { DriverError } from '../errors/driver.errors.js';
import { aNumber, type OptionKinds, options } from '../errors/option-kinds.js';
import { isFrame } from '../message/frame.js';
import { EncodedFrame, type OutgoingFrame } from '../message/outgoing-frame.js';
import { type Clock, systemClock } from '../timing/clock.js';
import { splitFanOut } from './bundle-delivery.js';
import {
  BundleLane,
  type BundleLanes,
  type BundleLimits,
  type MessagePublishOptions,
  type PublishListener,
  sendAlone,
} from './bundle-lane.js';
import { DeliveryGate } from './delivery-gate.js';

/** How large a bundle may grow, per delivery guarantee. */
export type BundlingOptions = { readonly [guarantee in DeliveryGuarantee]?: Partial<BundleLimits> };

const limitKinds: OptionKinds<Partial<BundleLimits>> = {
  maxMessages: aNumber,
  maxBytes: aNumber,
};

/** What each of {@link BundlingOptions} may be. */
export const bundlingKinds: OptionKinds<BundlingOptions> = {
  'at-most-once': options(limitKinds),
  'at-least-once': options(limitKinds),
};

const defaultLimits: Record<DeliveryGuarantee, BundleLimits> = {
  'at-most-once': { maxMessages: 256, maxBytes: 64 * 1024 },
  'at-least-once': { maxMessages: 32, maxBytes: 64 * 1024 },
};

/** No bundle at all: every frame travels alone. */
export const unbundled: Record<DeliveryGuarantee, BundleLimits> = {
  'at-most-once': { maxMessages: 1, maxBytes: 0 },
  'at-least-once': { maxMessages: 1, maxBytes: 0 },
};

/**
 * A driver that joins what is published to one topic within one turn of the event loop into a bundle, and splits bundles
 * on delivery. Deliveries are handed over in nobody's async context, the parts of a bundle together. A lone message is a plain frame and waits for nothing. Order per topic is kept. Messages with a delay, a
 * ttl, a signal or an id of the caller's own travel alone, and stored ones with a key; what is `bare` is neither joined nor
 * split.
 */
export class BundlingDriver implements DiscoDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  private readonly lanes: Record<DeliveryGuarantee, BundleLanes>;
  private readonly listeners = new DriverStatusListeners();
  private closed = false;

  constructor(
    private readonly inner: DiscoDriver,
    options: BundlingOptions = {},
    clock: Clock = systemClock,
  ) {
    assertOptions('bundling', options, bundlingKinds);
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    const lanes = (guarantee: DeliveryGuarantee): BundleLanes => {
      return { driver: inner, limits: resolveLimits(guarantee, options), clock, byTopic: new Map() };
    };
    this.lanes = { 'at-most-once': lanes('at-most-once'), 'at-least-once': lanes('at-least-once') };
  }

  connect(context?: DriverContext): Promise<void> {
    return this.inner.connect(context);
  }

  publish(
    topic: string,
    frame: Uint8Array,
    { id, ...options }: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    return new Promise((resolve, reject) => {
      this.send(topic, new EncodedFrame(frame, id), options, {
        accepted: (receipt, position) =>
          resolve(position === receipt.position ? receipt : { ...receipt, position }),
        failed: reject,
      });
    });
  }

  /**
   * Into the topic's lane, or past it, behind what waits there.
   * @internal
   */
  send(
    topic: string,
    frame: OutgoingFrame | EncodedFrame,
    options: MessagePublishOptions,
    listener: PublishListener,
  ): void {
    if (this.closed) {
      queueMicrotask(() => listener.failed(new ClosedError('The driver is closed')));
      return;
    }
    const lanes = this.lanes[options.delivery];
    const lane = lanes.byTopic.get(topic);
    if (this.travelsAlone(frame, options) || (lane && lane.timeoutMs !== options.timeoutMs)) {
      lane?.flush();
      sendAlone(lanes, topic, frame, { options, listener });
    } else (lane ?? openLane(lanes, topic, options.timeoutMs)).add(frame, options, listener);
  }

  async subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription> {
    const onFault = (thrown: unknown) => this.tellFault(topicOrPattern, thrown);
    if (options.bare) {
      return this.inner.subscribe(topicOrPattern, options, (delivery) =>
        inNobodysContext(handOver, delivery, onDelivery, onFault),
      );
    }
    if (options.delivery === 'at-most-once') {
      const { onMissed } = options;
      const missed = onMissed && ((delivery: Delivery) => splitFanOut(delivery, onMissed, onFault));
      return this.inner.subscribe(topicOrPattern, { ...options, onMissed: missed }, (delivery) =>
        inNobodysContext(splitFanOut, delivery, onDelivery, onFault),
      );
    }
    const gate = new DeliveryGate(options.maxInFlight, onDelivery, onFault);
    return gate.subscription(await this.inner.subscribe(topicOrPattern, options, gate.receive));
  }

  async close(graceMs?: number): Promise<void> {
    this.closed = true;
    for (const { byTopic } of Object.values(this.lanes)) for (const lane of byTopic.values()) lane.flush();
    await this.inner.close(graceMs);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    return this.listeners.addAround(this.inner, listener);
  }

  private tellFault(topicOrPattern: string, cause: unknown): void {
    const error = new DriverError(`The subscriber of "${topicOrPattern}" threw`, { cause, retryable: false });
    this.listeners.emit({ type: 'error', error });
  }

  private travelsAlone(frame: OutgoingFrame | EncodedFrame, options: MessagePublishOptions): boolean {
    return (
      options.bare === true ||
      options.deduplicate === true ||
      // After a crash the frames of a bundle are tried one by one, behind later ones.
      (options.key !== undefined && options.delivery === 'at-least-once') ||
      options.delayMs !== undefined ||
      options.ttlMs !== undefined ||
      options.signal !== undefined ||
      this.capabilities[options.delivery]?.parts !== true ||
      // Readers take a bundle of messages, and of nothing else.
      (frame instanceof EncodedFrame && !isFrame(frame.bytes))
    );
  }
}

function openLane(lanes: BundleLanes, topic: string, timeoutMs: number): BundleLane {
  const lane = new BundleLane(lanes, topic, timeoutMs);
  lanes.byTopic.set(topic, lane);
  return lane;
}

function resolveLimits(guarantee: DeliveryGuarantee, options: BundlingOptions): BundleLimits {
  const usual = defaultLimits[guarantee];
  const { maxMessages = usual.maxMessages, maxBytes = usual.maxBytes } = options[guarantee] ?? {};
  for (const [name, value, least] of [
    ['maxMessages', maxMessages, 1],
    ['maxBytes', maxBytes, 0],
  ] as const) {
    if (Number.isInteger(value) && value >= least) continue;
    throw new ConfigurationError(`bundling.${guarantee}.${name} must be a whole number, ${least} or more`);
  }
  return { maxMessages, maxBytes };
}
