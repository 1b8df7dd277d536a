import type { Delivery } from '../../../../driver/delivery.js';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import type { GroupSetting } from '../../../../driver/group-setting.js';
import { handOver } from '../../../../driver/guarded-delivery.js';
import type { SoleReader } from '../group/group-calls.js';
import type { StreamDelivery } from './stream-delivery.js';

/** A consumer that hands deliveries to places; the consumers of all topics of a pattern share the same places. */
export interface PlaceSharer {
  /** A place was freed: what waits here may take it. */
  pump(): void;
}

interface Share {
  waiting: number;
  busy: boolean;
}

/** The places of one subscriber for unsettled deliveries, shared by all that read for it. */
export class Places {
  private taken = 0;
  private waiting = 0;
  private busy = 0;
  private readonly shares = new Map<PlaceSharer, Share>();
  private readonly short = new Set<() => void>();

  constructor(private readonly count: number) {}

  /** Free places. */
  get free(): number {
    return Math.max(0, this.count - this.taken);
  }

  join(sharer: PlaceSharer): void {
    if (!this.shares.has(sharer)) this.shares.set(sharer, { waiting: 0, busy: false });
  }

  leave(sharer: PlaceSharer): void {
    this.note(sharer, 0, false);
    this.shares.delete(sharer);
  }

  /** What `sharer` has read and not handed over, and whether the last look found anything for it. */
  note(sharer: PlaceSharer, waiting: number, busy: boolean): void {
    const share = this.shares.get(sharer);
    if (share === undefined) return;
    this.waiting += waiting - share.waiting;
    this.busy += Number(busy) - Number(share.busy);
    share.waiting = waiting;
    share.busy = busy;
    this.tellShort();
  }

  /** How many entries `sharer` may hold read ahead. One by whom nothing came last gets a single one beside the others. */
  shareOf(sharer: PlaceSharer): number {
    const share = this.shares.get(sharer);
    const open = this.free - this.waiting + (share?.waiting ?? 0);
    if (this.shares.size <= 1 || open <= 1) return Math.max(0, open);
    return share?.busy ? Math.max(1, Math.floor(open / this.busy)) : 1;
  }

  /** Calls `again` once, when there is room for reading more. */
  whenOpen(again: () => void): void {
    this.short.add(again);
  }

  take(): void {
    this.taken++;
  }

  release(): void {
    this.taken--;
    if (this.shares.size > 1 && this.waiting > 0) {
      for (const [sharer, { waiting }] of this.shares) if (waiting > 0 && this.free > 0) sharer.pump();
    }
    this.tellShort();
  }

  private tellShort(): void {
    if (this.short.size === 0 || this.free <= this.waiting) return;
    const waiters = [...this.short];
    this.short.clear();
    for (const again of waiters) again();
  }
}

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

  /** Whether a subscription has a free place. */
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

  /** `waiting` entries wait to be handed over; `busy`: the last look found some. */
  note(waiting: number, busy: boolean): void {
    for (const { places } of this.all) places.note(this.consumer, waiting, busy);
  }

  /** Calls `again` once there may be more to read; what a subscription itself changes wakes its consumer anyhow. */
  whenOpen(again: () => void): void {
    for (const { places } of this.all) places.whenOpen(again);
  }

  /** A subscription with a free place, each in turn. */
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
  /** Removes the subscription; resolves when nothing is read for it any more. */
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
