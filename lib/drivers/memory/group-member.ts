import { type Delivery } from '../../driver/delivery.js';
import { handOver } from '../../driver/guarded-delivery.js';

/** A delivery that can be ended from outside. */
export interface MemberDelivery extends Delivery {
  /** Gives it back to its group, which tries again; settling it from now on does nothing. */
  takeOver(): void;
}

/** A group as its members see it. */
export interface MemberGroup {
  join(member: GroupMember): void;
  leave(member: GroupMember): void;
  /** Hands out what is ready once the present turn is over. */
  wake(): void;
}

/** One subscription as its consumer groups see it: a number of places for unsettled deliveries. */
export class GroupMember {
  /** Reads on: neither paused nor closed. */
  private reading = true;
  private closed = false;
  private readonly inFlight = new Set<MemberDelivery>();
  private readonly groups = new Set<MemberGroup>();
  /** Groups that it left with something in flight: an exclusive one waits until that is settled. */
  private left: readonly MemberGroup[] = [];
  /** Groups that had something for this member and found no place. */
  private readonly waiting = new Set<MemberGroup>();

  constructor(
    private readonly maxInFlight: number,
    /** Its groups are to be read by one member at a time. */
    readonly exclusive: boolean,
    private readonly onDelivery: (delivery: Delivery) => void,
    private readonly onFault: (thrown: unknown) => void,
    /** Called when a closed member's last delivery is settled. */
    private readonly onDrained: () => void,
  ) {}

  get unsettled(): number {
    return this.inFlight.size;
  }

  get ready(): boolean {
    return this.reading && this.inFlight.size < this.maxInFlight;
  }

  join(group: MemberGroup): void {
    this.groups.add(group);
    group.join(this);
  }

  /** Asks to be told: `group` is woken when there is a place again. */
  wait(group: MemberGroup): void {
    this.waiting.add(group);
  }

  hand(delivery: MemberDelivery): void {
    this.inFlight.add(delivery);
    handOver(delivery, this.onDelivery, this.onFault);
  }

  /** The delivery is settled: its place is free. */
  release(delivery: MemberDelivery): void {
    this.inFlight.delete(delivery);
    if (this.reading) this.wakeWaiting();
    else if (this.closed && this.inFlight.size === 0) this.drained();
  }

  pause(): void {
    this.reading = false;
  }

  resume(): void {
    if (this.closed || this.reading) return;
    this.reading = true;
    this.wakeWaiting();
  }

  /** Leaves its groups; what is in flight stays so. */
  close(): void {
    this.reading = false;
    this.closed = true;
    this.left = [...this.groups];
    for (const group of this.groups) group.leave(this);
    this.groups.clear();
    this.waiting.clear();
  }

  /** Gives what is in flight back to the groups, to be tried again; settling it from now on does nothing. */
  giveBack(): void {
    const deliveries = [...this.inFlight];
    this.inFlight.clear();
    for (const delivery of deliveries) delivery.takeOver();
  }

  private drained(): void {
    for (const group of this.left) group.wake();
    this.left = [];
    this.onDrained();
  }

  private wakeWaiting(): void {
    if (this.waiting.size === 0) return;
    const groups = [...this.waiting];
    this.waiting.clear();
    for (const group of groups) group.wake();
  }
}
