import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { handOver } from '../../../../driver/guarded-delivery.js';
import type { SoleReader } from '../group/sole-reader.js';
import type { PlaceSharer, Places } from './places.js';
import type { StreamDelivery } from './stream-delivery.js';

const nobody: readonly StreamSubscription[] = [];

/** The subscriptions that one consumer reads for: who is handed the next delivery, and how much may be read. */
export class ConsumerSubscriptions {
  /** There when the group is to be read by one subscription at a time. */
  sole: SoleReader | undefined;
  private readonly all: StreamSubscription[] = [];
  /** Operators have paused the group. */
  private paused = false;
  private turn = 0;
  /** Where there is one reader at a time: the subscription that reads. */
  private reader: StreamSubscription | undefined;

  constructor(private readonly consumer: PlaceSharer) {}

  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  /** Whether one of them has a place. */
  get hasPlace(): boolean {
    return this.eligible.some(({ free }) => free > 0);
  }

  add(subscription: StreamSubscription): void {
    this.all.push(subscription);
    subscription.places.join(this.consumer);
  }

  remove(subscription: StreamSubscription): void {
    this.all.splice(this.all.indexOf(subscription), 1);
    if (this.all.some(({ places }) => places === subscription.places)) return;
    subscription.places.leave(this.consumer);
  }

  /** How operators have set the group: while it is paused, nothing is read and nobody is handed anything. */
  isSet(topic: string, setting: GroupSetting): void {
    this.paused = setting.paused;
    for (const subscription of this.all) subscription.isSet(topic, setting);
  }

  /** How many entries the consumer may hold that are not handed over. */
  get readAhead(): number {
    let entries = 0;
    for (const { free, places } of this.eligible) if (free > 0) entries += places.shareOf(this.consumer);
    return entries;
  }

  /** So many entries wait to be handed over; `busy`: the last look found some. */
  note(waiting: number, busy: boolean): void {
    for (const { places } of this.all) places.note(this.consumer, waiting, busy);
  }

  /** Calls `again` once there may be more to read; what a subscription itself changes wakes its consumer anyhow. */
  whenOpen(again: () => void): void {
    for (const { places } of this.all) places.whenOpen(again);
  }

  /** One with a place, each in turn. */
  next(): StreamSubscription | undefined {
    const { eligible } = this;
    for (let tried = 0; tried < eligible.length; tried++) {
      if (this.turn >= eligible.length) this.turn = 0;
      const subscription = eligible[this.turn++];
      if (subscription.free > 0) return subscription;
    }
    return undefined;
  }

  /** A sole reader that has left is followed once all it had in flight is settled. */
  private get eligible(): readonly StreamSubscription[] {
    if (this.paused) return nobody;
    if (this.sole === undefined) return this.all;
    if (!this.sole.mayRead) return nobody;
    const { reader } = this;
    const stays = reader !== undefined && (this.all.includes(reader) || reader.unsettled > 0);
    this.reader = stays ? reader : this.all[0];
    return this.reader === undefined ? nobody : [this.reader];
  }
}

/** The consumer that a subscription belongs to. */
export interface SubscriptionOwner {
  /** There may be a place now. */
  wake(): void;
  /** Takes it off; resolves when nothing is read for it any more. */
  leave(subscription: StreamSubscription): Promise<void>;
  /** The subscriber threw. */
  fault(thrown: unknown): void;
}

/** One subscription to one topic, with the places that its subscriber has. */
export class StreamSubscription implements DriverSubscription {
  /** Deliveries that were handed over and are not settled. */
  unsettled = 0;
  private paused = false;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly owner: SubscriptionOwner,
    readonly places: Places,
    private readonly options: DriverSubscribeOptions,
    private readonly onDelivery: (delivery: Delivery) => void,
  ) {}

  /** Places for further deliveries. */
  get free(): number {
    return this.paused || this.closing !== undefined ? 0 : this.places.free;
  }

  /** Without a subscriber that tells when it begins, a delivery has begun when it is handed over. */
  hand(delivery: StreamDelivery): void {
    this.unsettled++;
    this.places.take();
    if (!this.options.tellsBegin) delivery.begin();
    handOver(delivery, this.onDelivery, this.onFault);
  }

  /** One of its deliveries is settled or given up. */
  ended(): void {
    this.unsettled--;
    this.places.release();
  }

  /** Tells the subscriber how operators have set the group on `topic`. */
  isSet(topic: string, setting: GroupSetting): void {
    try {
      this.options.onSetting?.(topic, setting);
    } catch (error) {
      this.owner.fault(error);
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.owner.wake();
  }

  close(): Promise<void> {
    this.closing ??= this.owner.leave(this);
    return this.closing;
  }

  private readonly onFault = (thrown: unknown): void => this.owner.fault(thrown);
}
