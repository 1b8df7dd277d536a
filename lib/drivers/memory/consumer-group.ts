import { type DeadLetterReason } from '../../driver/delivery.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { type Appointment } from './agenda.js';
import { DeadLetterList } from './dead-letter-list.js';
import { type GroupLog, tellExpired } from './group-log.js';
import type { GroupMember, MemberGroup } from './group-member.js';
import { GroupMembers } from './group-members.js';
import { type DeliveryGroup, LogDelivery } from './log-delivery.js';
import { type LogEntry, type Task, unsettled } from './log-entry.js';
import { Queue } from './queue.js';
import type { GroupStanding } from './standing.js';

/** Shares one topic's entries out among its members: each entry is in the hands of one of them until it is settled. */
export class ConsumerGroup implements MemberGroup, DeliveryGroup {
  /** What the group has given up. */
  readonly deadLetters: DeadLetterList;
  private readonly members = new GroupMembers();
  /** What is tried again when its time has come. */
  private readonly retries = new Map<Task, Appointment>();
  /** Where it has read the log to. */
  private position: string | undefined;
  /** Tasks that came back; they go before new entries. */
  private readonly returned = new Queue<Task>();
  private awake = false;
  /** Dropped for their time to live, and not told yet. */
  private readonly expired: { readonly messages: number }[] = [];
  /** How operators have set it. */
  setting: GroupSetting = { paused: false };
  private removed = false;
  /** When a member left last, by the wall clock; when it was made where none has. */
  leftMs: number;

  /** `cursor`: the sequence number of the next new entry to be handed out. */
  constructor(
    private readonly log: GroupLog,
    private readonly name: string,
    private cursor: number,
  ) {
    const { clock, maxDeadLetters, maxBytes } = log.settings;
    this.leftMs = clock.now();
    this.deadLetters = new DeadLetterList(
      { maxLength: maxDeadLetters, maxBytes },
      ({ letter: { frame, replays }, messages, settledParts }) => {
        const expiresMs = Number.POSITIVE_INFINITY;
        const entry = log.privateEntry({ frame, messages, expiresMs, replays: replays + 1 });
        this.again({ entry, attempt: 1, settledParts }, 0);
      },
      (dropped, boundBytes) => {
        const bounds = { maxDeadLetters, ...(boundBytes !== undefined && { maxBytes: boundBytes }) };
        log.settings.status({ type: 'dead-letters-full', topic: log.topic, group: name, dropped, ...bounds });
      },
    );
  }

  get topic(): string {
    return this.log.topic;
  }

  get size(): number {
    return this.members.live.length;
  }

  /** How many messages it has not handed out, or has back. */
  get waiting(): number {
    return this.returned.size + (this.log.end - this.cursor);
  }

  join(member: GroupMember): void {
    this.members.live.push(member);
    if (this.setting.paused || this.setting.limit !== undefined) member.isSet(this.topic, this.setting);
    this.wake();
  }

  leave(member: GroupMember): void {
    this.members.remove(member);
    this.leftMs = this.now();
  }

  wake(): void {
    if (this.awake) return;
    this.awake = true;
    this.log.settings.turn.add(this);
  }

  run(): void {
    this.awake = false;
    if (this.setting.paused) return;
    this.handOut();
    tellExpired(this.log, this.name, this.expired.splice(0));
  }

  /** The log has dropped these for their time to live. */
  expire(entries: readonly LogEntry[]): void {
    tellExpired(
      this.log,
      this.name,
      entries.filter(({ seq }) => seq >= this.cursor),
    );
  }

  private handOut(): void {
    // What comes back or is added meanwhile wakes the group again: a member that refuses everything ends no turn late.
    for (let left = this.waiting; left > 0 && this.size > 0; left--) {
      const member = this.members.next();
      if (member === undefined) {
        for (const each of this.members.live) each.wait(this);
        return;
      }
      const task = this.take();
      if (task !== undefined) member.hand(new LogDelivery(this, member, task));
    }
  }

  /** Wall-clock time. */
  now(): number {
    return this.log.settings.clock.now();
  }

  /** Where it stands at this moment. */
  get standing(): GroupStanding {
    const { cursor, position, leftMs, deadLetters } = this;
    return {
      group: this.name,
      setting: this.setting,
      cursor,
      position,
      returned: [...this.returned],
      deliveries: this.members.readers.flatMap((member) => member.held(this)),
      retries: [...this.retries],
      deadLetters: deadLetters.counts,
      members: this.members.readers.map((member) => ({ ...member.identity, deliveries: member.held(this) })),
      leftMs: this.size > 0 ? undefined : leftMs,
    };
  }

  ageOf({ entry }: Task): number {
    return this.log.settings.clock.monotonic() - entry.storedMs;
  }

  finish(task: Task): void {
    this.log.release(task.entry);
  }

  /** Operators have set it: its members are told. */
  set(setting: GroupSetting): void {
    this.setting = setting;
    for (const member of this.members.live) member.isSet(this.topic, setting);
    this.wake();
  }

  /** Goes on with the entry of that number. Returns how many messages it skips, or reads again where that is below 0. */
  seek(seq: number): number {
    let messages = 0;
    for (const entry of this.entries(this.cursor, seq)) {
      messages += entry.messages;
      this.log.release(entry);
    }
    for (const entry of this.entries(seq, this.cursor)) {
      messages -= entry.messages;
      entry.groupsLeft++;
    }
    this.cursor = seq;
    this.wake();
    return messages;
  }

  /** How many messages `seek` would skip. */
  between(seq: number): number {
    return this.entries(this.cursor, seq).reduce((sum, { messages }) => sum + messages, 0);
  }

  /** Those that are kept from one number up to another. */
  private entries(from: number, to: number): LogEntry[] {
    const numbers = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
    return numbers.flatMap((seq) => this.log.entry(seq) ?? []);
  }

  /** Drops what waits, retries included. Returns how many messages that were. */
  purge(): number {
    let messages = this.seek(this.log.end);
    for (const appointment of this.retries.values()) appointment.cancel();
    for (const task of [...this.returned, ...this.retries.keys()]) {
      messages += unsettled(task);
      this.finish(task);
    }
    while (this.returned.size > 0) this.returned.shift();
    this.retries.clear();
    return messages;
  }

  /** Is done with all that it has not handled, and with what comes back later. */
  remove(): void {
    this.removed = true;
    for (const entry of this.entries(this.cursor, this.log.end)) this.log.release(entry);
    this.cursor = this.log.end;
    for (let task = this.returned.shift(); task; task = this.returned.shift()) this.finish(task);
  }

  again(task: Task, delayMs: number): void {
    if (this.removed) {
      this.finish(task);
      return;
    }
    if (delayMs > 0) {
      const back = this.log.settings.agenda.in(delayMs, () => {
        this.retries.delete(task);
        this.again(task, 0);
      });
      this.retries.set(task, back);
      return;
    }
    task.backMs = this.log.settings.clock.monotonic();
    this.returned.push(task);
    this.wake();
  }

  retryPart(task: Task, frame: Uint8Array, delayMs: number): void {
    const entry = this.log.privateEntry({ ...task.entry, frame, messages: 1 });
    this.again({ entry, attempt: task.attempt + 1, waits: task.waits }, delayMs);
  }

  bury(task: Task, reason: DeadLetterReason, part?: Uint8Array): void {
    const { entry, attempt, settledParts } = task;
    const letter = {
      ...reason,
      frame: part ?? entry.frame,
      attempts: attempt + (reason.attempts ?? 1) - 1,
      position: this.log.nextPosition(),
      originalPosition: entry.position,
      failedAt: this.now(),
      replays: entry.replays ?? 0,
    };
    this.deadLetters.add(part ? { letter, messages: 1 } : { letter, messages: entry.messages, settledParts });
  }

  /** The next task, or undefined where the next one has expired or was dropped. */
  private take(): Task | undefined {
    const task = this.returned.shift() ?? this.takeNew();
    if (task === undefined || !this.log.expired(task.entry)) return task;
    this.expired.push({ messages: unsettled(task) });
    this.finish(task);
    return undefined;
  }

  private takeNew(): Task | undefined {
    const entry = this.log.entry(this.cursor++);
    this.position = entry?.position ?? this.position;
    return entry && { entry, attempt: 1 };
  }
}
