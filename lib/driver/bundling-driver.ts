import { assertOptions } from '../errors/assert-options.js';
import { ClosedError, ConfigurationError } from '../errors/bus.errors.js';
import { DriverError } from '../errors/driver.errors.js';
import { aNumber, type OptionKinds, options } from '../errors/option-kinds.js';
import { encodeFrame, isFrame } from '../message/frame.js';
import { EncodedFrame, type OutgoingFrame } from '../message/outgoing-frame.js';
import { inNobodysContext } from './async-context.js';
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
import { type DriverStatusListener, DriverStatusListeners } from './driver-status.js';
import { handOver } from './guarded-delivery.js';
import type { MessagePublishOptions, PublishListener } from './message-driver.js';
import { partPosition } from './part-position.js';

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
  private readonly limits: Record<DeliveryGuarantee, BundleLimits>;
  private readonly lanes: Record<DeliveryGuarantee, Map<string, BundleLane>> = {
    'at-most-once': new Map(),
    'at-least-once': new Map(),
  };
  private readonly listeners = new DriverStatusListeners();
  private closed = false;

  constructor(
    private readonly inner: DiscoDriver,
    options: BundlingOptions = {},
  ) {
    assertOptions('bundling', options, bundlingKinds);
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    this.limits = {
      'at-most-once': resolveLimits('at-most-once', options),
      'at-least-once': resolveLimits('at-least-once', options),
    };
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
        accepted: (receipt, part) => resolve(partReceipt(receipt, part)),
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
    const lane = this.laneOf(topic, options);
    if (lane?.accepts(options) && !travelsAlone(options) && canBeJoined(frame))
      lane.add(frame, options, listener);
    else {
      lane?.flush();
      this.sendAlone(topic, frame, options, listener);
    }
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
    for (const lanes of Object.values(this.lanes)) for (const lane of lanes.values()) lane.flush();
    await this.inner.close(graceMs);
  }

  ping(): Promise<void> {
    return this.inner.ping();
  }

  onStatus(listener: DriverStatusListener): () => void {
    const removals = [this.inner.onStatus(listener), this.listeners.add(listener)];
    return () => {
      for (const remove of removals) remove();
    };
  }

  private tellFault(topicOrPattern: string, cause: unknown): void {
    const error = new DriverError(`The subscriber of "${topicOrPattern}" threw`, { cause, retryable: false });
    this.listeners.emit({ type: 'error', error });
  }

  private sendAlone(
    topic: string,
    frame: OutgoingFrame | EncodedFrame,
    options: MessagePublishOptions,
    listener: PublishListener,
  ): void {
    this.publishAlone(topic, frame, options).then(
      (receipt) => listener.accepted(receipt, undefined),
      (error: unknown) => listener.failed(error),
    );
  }

  /** What cannot be encoded fails its publisher, not the process. */
  private async publishAlone(
    topic: string,
    frame: OutgoingFrame | EncodedFrame,
    options: MessagePublishOptions,
  ): Promise<DriverReceipt> {
    const bytes = frame instanceof EncodedFrame ? frame.bytes : encodeFrame(frame);
    return this.inner.publish(topic, bytes, { ...options, id: frame.id });
  }

  /** A lane lives while it has frames waiting or on their way, so that a million topics leave nothing behind. */
  private laneOf(
    topic: string,
    { delivery, timeoutMs, bare }: MessagePublishOptions,
  ): BundleLane | undefined {
    if (bare || !this.capabilities[delivery]?.parts) return undefined;
    const lanes = this.lanes[delivery];
    const open = lanes.get(topic);
    if (open) return open;
    const lane = new BundleLane(this.inner, topic, timeoutMs, this.limits[delivery], () =>
      lanes.delete(topic),
    );
    lanes.set(topic, lane);
    return lane;
  }
}

/** Readers take a bundle of messages, and of nothing else. */
function canBeJoined(frame: OutgoingFrame | EncodedFrame): boolean {
  return !(frame instanceof EncodedFrame) || isFrame(frame.bytes);
}

function travelsAlone(options: MessagePublishOptions): boolean {
  return (
    options.deduplicate === true ||
    // After a crash the frames of a bundle are tried one by one, behind later ones.
    (options.key !== undefined && options.delivery === 'at-least-once') ||
    options.delayMs !== undefined ||
    options.ttlMs !== undefined ||
    options.signal !== undefined
  );
}

function partReceipt(receipt: DriverReceipt, part: number | undefined): DriverReceipt {
  if (part === undefined || receipt.position === undefined) return receipt;
  return { ...receipt, position: partPosition(receipt.position, part) };
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
