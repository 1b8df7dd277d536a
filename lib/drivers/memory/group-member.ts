import { type Delivery } from '../../driver/delivery.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { handOver } from '../../driver/guarded-delivery.js';
import type { Task } from './log-entry.js';
import type { MemberIdentity } from './member-identity.js';

/** A delivery that can be ended from outside. */
export interface MemberDelivery extends Delivery {
  /** The group that it reports to. */
  readonly group: object;
  readonly task: Task;
  /** Messages that are not settled. */
  readonly held: number;
  /** Those of them whose handlers have begun. */
  readonly running: number;
  /** When its first handler began, by the wall clock; undefined where none runs. */
  readonly runningSince: number | undefined;
  /** Gives it back to its group, which tries again; settling it from now on does nothing. */
  takeOver(): void;
}

/** How a member takes deliveries. */
export interface MemberSettings {
  readonly identity: MemberIdentity;
  readonly maxInFlight: number;
  /** Its groups are to be read by one member at a time. */
  readonly exclusive: boolean;
  /** It says itself when a handler begins; without that, one begins when it is handed a delivery. */
  readonly tellsBegin: boolean;
  readonly onDelivery: (delivery: Delivery) => void;
  readonly onFault: (thrown: unknown) => void;
  readonly onSetting?: (topic: string, setting: GroupSetting) => void;
  /** Called when a closed member's last delivery is settled. */
  readonly onDrained: () => void;
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

  constructor(private readonly settings: MemberSettings) {}

  get identity(): MemberIdentity {
    return this.settings.identity;
  }

  get exclusive(): boolean {
    return this.settings.exclusive;
  }

  get tellsBegin(): boolean {
    return this.settings.tellsBegin;
  }

  /** What it has in flight of `group`. */
  held(group: object): MemberDelivery[] {
    return [...this.inFlight].filter((delivery) => delivery.group === group);
  }

  get unsettled(): number {
    return this.inFlight.size;
  }

  get ready(): boolean {
    return this.reading && this.inFlight.size < this.settings.maxInFlight;
  }

  join(group: MemberGroup): void {
    this.groups.add(group);
    group.join(this);
  }

  /** Operators have set its group on `topic`. */
  isSet(topic: string, setting: GroupSetting): void {
    try {
      this.settings.onSetting?.(topic, setting);
    } catch (error) {
      this.settings.onFault(error);
    }
  }

  /** Asks to be told: `group` is woken when there is a place again. */
  wait(group: MemberGroup): void {
    this.waiting.add(group);
  }

  hand(delivery: MemberDelivery): void {
    this.inFlight.add(delivery);
    handOver(delivery, this.settings.onDelivery, this.settings.onFault);
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
    this.settings.onDrained();
  }

  private wakeWaiting(): void {
    if (this.waiting.size === 0) return;
    const groups = [...this.waiting];
    this.waiting.clear();
    for (const group of groups) group.wake();
  }
}
