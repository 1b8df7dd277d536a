import type { DeliveryGuarantee, DriverCapabilities } from './capabilities.js';
import type { Delivery } from './delivery.js';
import type { DriverStatusListener } from './driver-status.js';
import type { GroupSetting } from './group-setting.js';

/** What the bus tells a driver when it connects. A driver built alone gets none of it and uses its own defaults. */
export interface DriverContext {
  /** Stands before every key and channel. @default 'disco' */
  readonly prefix?: string;
  /** The service's name, for connection names. */
  readonly service?: string;
  /** No frame handed over is larger than this; of larger incoming ones the head, or nothing, with a `refusal`. Bytes. */
  readonly maxFrameBytes?: number;
}

/** How one frame is to be published. */
export interface DriverPublishOptions {
  readonly delivery: DeliveryGuarantee;
  /** Names the frame for deduplication: the message's id, or the first one of a bundle. */
  readonly id: string;
  /** How many messages the frame holds, for counting what waits. @default 1 */
  readonly messages?: number;
  /** The caller chose `id` himself, so another publish may carry it again. */
  readonly deduplicate?: boolean;
  /**
   * Rejects with PublishTimeoutError (nothing sent, nor sent later) or PublishOutcomeUnknownError (sent, unconfirmed) after
   * this. The driver alone keeps the time: whoever called waits until it settles. Milliseconds.
   */
  readonly timeoutMs: number;
  /** What the frame belongs to, where subscriptions keep the order of keys. Stored frames with a key are not bundled. */
  readonly key?: string;
  /** Not delivered before this has passed. Needs the capability `delay`. */
  readonly delayMs?: number;
  /** Not delivered any more after this has passed. */
  readonly ttlMs?: number;
  /**
   * The topic's name is used on the server as it stands, without the prefix, and the frame travels alone and unchanged:
   * for the programs of others. Needs the capability `bare`. @default false
   */
  readonly bare?: boolean;
  /**
   * Aborting before the frame is sent withdraws it: rejects with AbortedError. Afterwards rejects with
   * PublishOutcomeUnknownError, whose cause is the signal's reason; the frame may still be delivered.
   */
  readonly signal?: AbortSignal;
}

/** What the driver knows of an accepted frame. */
export interface DriverReceipt {
  /** Where it is kept, as a stream entry id. */
  readonly position?: string;
  /** How many subscribers the server sent it to: a hint, never a receipt. */
  readonly receivers?: number;
  /** The id was accepted before; nothing was stored again. `position` is then the earlier one's. */
  readonly duplicate?: boolean;
}

/** How a subscription is to be read. */
export interface DriverSubscribeOptions {
  readonly delivery: DeliveryGuarantee;
  /** Consumer group; ignored where the guarantee has no groups. */
  readonly group: string;
  /** At least once: never more unsettled deliveries than this at a time. */
  readonly maxInFlight: number;
  /** Where a group that does not exist yet begins. */
  readonly startFrom: 'beginning' | 'new';
  /**
   * Only one subscription of the group is handed deliveries at a time: the one that came first. When it has closed, and
   * what it had in flight is settled or taken over, the next one follows, beginning with what was taken over, in the order
   * it was published. Needs the capability `exclusive`. @default false
   */
  readonly exclusive?: boolean;
  /**
   * The subscriber calls `begin` of a delivery when its handler starts. Without that, a delivery counts as begun when it is
   * handed over. @default false
   */
  readonly tellsBegin?: boolean;
  /**
   * At most once: is called, in place of the subscriber, with what comes while the subscription is paused though the
   * publisher's receipt counts it in. It is missed all the same, but whoever asked can be told. @default nobody is told
   */
  readonly onMissed?: (delivery: Delivery) => void;
  /**
   * At least once: is called with how operators have set the group on one of the topics, when that changes, and, where it
   * is anything, before the first delivery. Must not throw. @default nobody is told
   */
  readonly onSetting?: (topic: string, setting: GroupSetting) => void;
  /** Listens to the bare name, as a publish with `bare` uses it, and takes what comes as it is. Needs the capability `bare`. @default false */
  readonly bare?: boolean;
}

/** A live subscription. */
export interface DriverSubscription {
  /** Stops handing over deliveries until `resume`; those in flight are not affected. Fan-out messages meanwhile are missed. */
  pause(): void;
  /** Goes on. Does nothing when not paused. */
  resume(): void;
  /**
   * Resolves when reading has stopped; nothing is handed over after that. At most once, what the server counted this
   * subscription in for is handed over until then, as nobody else gets it. At least once, nothing is handed over from
   * the call on: deliveries in flight can still be settled, and what is unsettled when the driver closes, or a visibility
   * time after this close, goes back to the group. Idempotent.
   */
  close(): Promise<void>;
}

/** How much may wait for a connection. */
export interface BufferLimit {
  /** Frames. */
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Moves frames. Knows nothing of codecs, retries, metrics or Nest: policy is above, the driver carries it out.
 *
 * All rejections are {@link DiscoBusError}s: NotConnectedError before `connect`, ClosedError after `close`.
 */
export interface DiscoDriver {
  /** A short name for logs and metrics, as `'redis'`. */
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  /** What may wait while there is no connection; the bus keeps to it before the first one too. @default 1000 messages, 8 MiB */
  readonly bufferLimit?: BufferLimit;
  /** Resolves when frames can be moved. May be called again after it rejected; called again while connected it does nothing. */
  connect(context?: DriverContext): Promise<void>;
  /** Resolves when the frame is accepted; the caller may then reuse its bytes. */
  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt>;
  /**
   * Resolves when the subscription is live: whatever is published from then on arrives. `onDelivery` must not throw and
   * is called once for each delivery, never after `close` of the subscription has resolved.
   */
  subscribe(
    topicOrPattern: string,
    options: DriverSubscribeOptions,
    onDelivery: (delivery: Delivery) => void,
  ): Promise<DriverSubscription>;
  /**
   * Ends all subscriptions and connections. Idempotent, safe while connecting, which it ends; leaves no timer, socket or
   * listener. What is under way may take `graceMs` to be settled, @default the driver's own time; then it is given up.
   */
  close(graceMs?: number): Promise<void>;
  /** Resolves when the server answered; rejects otherwise, within 5 s. */
  ping(): Promise<void>;
  /** Calls `listener` for every status from now on; the returned function ends that. */
  onStatus(listener: DriverStatusListener): () => void;
}
