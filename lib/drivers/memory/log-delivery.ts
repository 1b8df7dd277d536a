import { type DeadLetterReason, type DeliveryPart } from '../../driver/delivery.js';
import { type GroupMember, type MemberDelivery } from './group-member.js';
import { type Task } from './log-entry.js';

const done = Promise.resolve();

/** The group that a delivery reports to. */
export interface DeliveryGroup {
  readonly topic: string;
  /** How long ago the task's entry was stored. */
  ageOf(task: Task): number;
  /** The group is done with the task's entry. */
  finish(task: Task): void;
  /** Takes the task up again after `delayMs`. */
  again(task: Task, delayMs: number): void;
  /** Takes up `frame`, a part of the task's bundle, as a task of its own after `delayMs`. */
  retryPart(task: Task, frame: Uint8Array, delayMs: number): void;
  /** Keeps `frame` as a dead letter. */
  bury(task: Task, frame: Uint8Array, reason: DeadLetterReason): void;
}

/** One attempt of a group at an entry, in the hands of one member until it is settled or taken over. */
export class LogDelivery implements MemberDelivery {
  private live = true;
  private partsSettled: Set<number> | undefined;

  constructor(
    private readonly group: DeliveryGroup,
    private readonly member: GroupMember,
    private readonly task: Task,
  ) {}

  get topic(): string {
    return this.group.topic;
  }

  get frame(): Uint8Array {
    return this.task.entry.frame;
  }

  get attempt(): number {
    return this.task.attempt;
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

  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (part !== undefined) {
      // A copy: a view would keep the bundle.
      if (this.settlePart(part)) this.group.bury(this.task, new Uint8Array(part.frame), reason);
    } else if (this.settle()) {
      this.group.bury(this.task, this.frame, reason);
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

  private settlePart({ index }: DeliveryPart): boolean {
    if (!this.live || this.partsSettled?.has(index) || this.task.settledParts?.has(index)) return false;
    this.partsSettled ??= new Set();
    this.partsSettled.add(index);
    return true;
  }

  private nextTask(): Task {
    const { entry, attempt, settledParts } = this.task;
    const settled = this.partsSettled;
    return {
      entry,
      attempt: attempt + 1,
      settledParts: settled ? new Set([...(settledParts ?? []), ...settled]) : settledParts,
    };
  }
}
