import { type DeadLetterReason, type DeliveryPart } from '../../driver/delivery.js';
import { type GroupMember, type MemberDelivery } from './group-member.js';
import { type Task, unsettled } from './log-entry.js';

/** Bundles are seldom larger than this. */
const SMALL = 32;

/** Which parts of a bundle are in a handler. Costs next to nothing for each message of a bundle of the usual size. */
class BegunParts {
  private small = 0;
  private others: Set<number> | undefined;

  get count(): number {
    let count = this.others?.size ?? 0;
    for (let rest = this.small; rest !== 0; rest &= rest - 1) count++;
    return count;
  }

  add(index: number): void {
    if (index < SMALL) this.small |= 1 << index;
    else {
      this.others ??= new Set();
      this.others.add(index);
    }
  }

  delete(index: number): void {
    if (index < SMALL) this.small &= ~(1 << index);
    else this.others?.delete(index);
  }
}

const done = Promise.resolve();

/** The group that a delivery reports to. */
export interface DeliveryGroup {
  readonly topic: string;
  /** Wall-clock time. */
  now(): number;
  /** How long ago the task's entry was stored. */
  ageOf(task: Task): number;
  /** The group is done with the task's entry. */
  finish(task: Task): void;
  /** Takes the task up again after `delayMs`. */
  again(task: Task, delayMs: number): void;
  /** Takes up `frame`, a part of the task's bundle, as a task of its own after `delayMs`. */
  retryPart(task: Task, frame: Uint8Array, delayMs: number): void;
  /** Keeps the task's frame as a dead letter, but for the parts that are settled, or `part` of its bundle alone. */
  bury(task: Task, reason: DeadLetterReason, part?: Uint8Array): void;
}

/** One attempt of a group at an entry, in the hands of one member until it is settled or taken over. */
export class LogDelivery implements MemberDelivery {
  private live = true;
  private partsSettled: Set<number> | undefined;
  /** When its handler began, or that of its first part, by the wall clock. */
  private begunMs: number | undefined;
  /** The parts that run, where they were begun one by one. */
  private partsBegun: BegunParts | undefined;

  constructor(
    readonly group: DeliveryGroup,
    private readonly member: GroupMember,
    readonly task: Task,
  ) {
    if (!member.tellsBegin) this.begunMs = group.now();
  }

  get topic(): string {
    return this.group.topic;
  }

  get frame(): Uint8Array {
    return this.task.entry.frame;
  }

  get attempt(): number {
    return this.task.attempt;
  }

  get waits(): number | undefined {
    return this.task.waits;
  }

  get replays(): number | undefined {
    return this.task.entry.replays;
  }

  get ageMs(): number {
    return this.group.ageOf(this.task);
  }

  get position(): string {
    return this.task.entry.position;
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.task.settledParts;
  }

  get held(): number {
    return unsettled(this.task) - (this.partsSettled?.size ?? 0);
  }

  get running(): number {
    return this.begunMs === undefined ? 0 : (this.partsBegun?.count ?? this.held);
  }

  get runningSince(): number | undefined {
    return this.running === 0 ? undefined : this.begunMs;
  }

  begin(part?: DeliveryPart): void {
    this.begunMs ??= this.group.now();
    if (part === undefined) return;
    this.partsBegun ??= new BegunParts();
    if (!this.isSettled(part)) this.partsBegun.add(part.index);
  }

  ack(part?: DeliveryPart): Promise<void> {
    if (part !== undefined) this.settlePart(part);
    else if (this.settle()) this.group.finish(this.task);
    return done;
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (part !== undefined) {
      if (this.settlePart(part)) this.group.retryPart(this.task, part.frame, delayMs);
    } else if (this.settle()) {
      this.group.again(this.nextTask(), delayMs);
    }
    return done;
  }

  release(delayMs: number, part?: DeliveryPart): Promise<void> {
    const { attempt, waits = 0 } = this.task;
    // A part that comes back counts one attempt more, and this is none.
    const waited = { ...this.task, attempt: attempt - 1, waits: waits + 1 };
    if (part !== undefined) {
      if (this.settlePart(part)) this.group.retryPart(waited, part.frame, delayMs);
    } else if (this.settle()) {
      this.group.again({ ...this.nextTask(), attempt, waits: waits + 1 }, delayMs);
    }
    return done;
  }

  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (part !== undefined) {
      // A copy: a view would keep the bundle.
      if (this.settlePart(part)) this.group.bury(this.task, reason, new Uint8Array(part.frame));
    } else if (this.settle()) {
      this.group.bury({ ...this.task, settledParts: this.allSettled }, reason);
      this.group.finish(this.task);
    }
    return done;
  }

  /** Ends this attempt from outside: the group tries again. */
  takeOver(): void {
    if (!this.live) return;
    this.live = false;
    this.group.again(this.nextTask(), 0);
  }

  /** True for the one call that settles. */
  private settle(): boolean {
    if (!this.live) return false;
    this.live = false;
    this.member.release(this);
    return true;
  }

  private settlePart(part: DeliveryPart): boolean {
    if (this.isSettled(part)) return false;
    this.partsSettled ??= new Set();
    this.partsSettled.add(part.index);
    this.partsBegun?.delete(part.index);
    return true;
  }

  private isSettled({ index }: DeliveryPart): boolean {
    return (
      !this.live || this.partsSettled?.has(index) === true || this.task.settledParts?.has(index) === true
    );
  }

  private nextTask(): Task {
    const { entry, attempt, waits } = this.task;
    return { entry, attempt: attempt + 1, waits, settledParts: this.allSettled };
  }

  /** Of this attempt and of earlier ones. */
  private get allSettled(): ReadonlySet<number> | undefined {
    const { settledParts } = this.task;
    return this.partsSettled ? new Set([...(settledParts ?? []), ...this.partsSettled]) : settledParts;
  }
}
