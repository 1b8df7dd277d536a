import type { DeadLetter } from '../../driver/dead-letters.js';
import { type DeadLetterReason } from '../../driver/delivery.js';
import type { GroupSetting } from '../../driver/group-setting.js';
import { type Agenda, type Appointment } from './agenda.js';
import { type DeadLetterBounds, DeadLetterList } from './dead-letter-list.js';
import type { GroupMember, MemberGroup } from './group-member.js';
import { type DeliveryGroup, LogDelivery } from './log-delivery.js';
import { type LogEntry, type PrivateEntry, type Task, unsettled } from './log-entry.js';
import { Queue } from './queue.js';
import type { GroupStanding } from './standing.js';
import { type Turn } from './turn.js';

/** The log that a group reads. */
export interface GroupLog {
  readonly topic: string;
  readonly turn: Turn;
  readonly agenda: Agenda;
  /** What a group keeps of dead letters. */
  readonly deadLetterBounds: DeadLetterBounds;
  /** The sequence number that the next entry will get. */
  readonly end: number;
  /** The entry with that number, unless it was dropped. */
  entry(seq: number): LogEntry | undefined;
  /** An entry that stands in no log: one group keeps it for itself. */
  privateEntry(entry: PrivateEntry): LogEntry;
  monotonic(): number;
  /** A new position, later than all before. */
  nextPosition(): string;
  /** One more group is done with the entry. */
  release(entry: LogEntry): void;
  expired(entry: LogEntry): boolean;
  /** So many of the oldest dead letters of `group` gave way to a newer one; `maxBytes` where that was the bound. */
  outlived(group: string, dropped: number, maxBytes: number | undefined): void;
  /** Wall-clock time. */
  now(): number;
}

/** Shares one topic's entries out among its members: each entry is in the hands of one of them until it is settled. */
export class ConsumerGroup implements MemberGroup, DeliveryGroup {
  /** What the group has given up. */
  readonly deadLetters: DeadLetterList;
  private readonly members: GroupMember[] = [];
  /** Those that have left with something in flight. */
  private leavers: GroupMember[] = [];
  /** What is tried again when its time has come. */
  private readonly retries = new Map<Task, Appointment>();
  /** Where it has read the log to. */
  private position: string | undefined;
  private nextMember = 0;
  /** The member that an exclusive group is read by. */
  private reader: GroupMember | undefined;
  /** Tasks that came back; they go before new entries. */
  private readonly returned = new Queue<Task>();
  private awake = false;
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
    this.leftMs = log.now();
    this.deadLetters = new DeadLetterList(
      log.deadLetterBounds,
      ({ letter: { frame, replays }, messages, settledParts }) => {
        const expiresMs = Number.POSITIVE_INFINITY;
        const entry = this.log.privateEntry({ frame, messages, expiresMs, replays: replays + 1 });
        this.again({ entry, attempt: 1, settledParts }, 0);
      },
      (dropped, maxBytes) => this.log.outlived(this.name, dropped, maxBytes),
    );
  }

  get topic(): string {
    return this.log.topic;
  }

  get size(): number {
    return this.members.length;
  }

  /** How many messages it has not handed out, or has back. */
  get waiting(): number {
    return this.waitingCount;
  }

  join(member: GroupMember): void {
    this.members.push(member);
    if (this.setting.paused || this.setting.limit !== undefined) member.isSet(this.topic, this.setting);
    this.wake();
  }

  leave(member: GroupMember): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.members.splice(at, 1);
    this.leavers = this.leavers.filter(({ unsettled }) => unsettled > 0);
    if (member.unsettled > 0) this.leavers.push(member);
    this.leftMs = this.log.now();
  }

  wake(): void {
    if (this.awake) return;
    this.awake = true;
    this.log.turn.add(this);
  }

  run(): void {
    this.awake = false;
    if (this.setting.paused) return;
    // What comes back or is added meanwhile wakes the group again: a member that refuses everything ends no turn late.
    for (let left = this.waitingCount; left > 0 && this.members.length > 0; left--) {
      const member = this.freeMember();
      if (member === undefined) {
        for (const each of this.members) each.wait(this);
        return;
      }
      const task = this.take();
      if (task !== undefined) member.hand(new LogDelivery(this, member, task));
    }
  }

  now(): number {
    return this.log.now();
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
      deliveries: this.readers.flatMap((member) => member.held(this)),
      retries: [...this.retries],
      deadLetters: deadLetters.counts,
      members: this.readers.map((member) => ({ ...member.identity, deliveries: member.held(this) })),
      leftMs: this.size > 0 ? undefined : leftMs,
    };
  }

  private get readers(): readonly GroupMember[] {
    return [...this.members, ...this.leavers.filter(({ unsettled }) => unsettled > 0)];
  }

  ageOf({ entry }: Task): number {
    return this.log.monotonic() - entry.storedMs;
  }

  finish(task: Task): void {
    this.log.release(task.entry);
  }

  /** Operators have set it: its members are told. */
  set(setting: GroupSetting): void {
    this.setting = setting;
    for (const member of this.members) member.isSet(this.topic, setting);
    this.wake();
  }

  /** Goes on with the entry of that number. Returns how many messages it skips, or reads again where that is below 0. */
  seek(seq: number): number {
    const entries = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => this.log.entry(from + index)).filter(
        (entry) => !!entry,
      );
    const skipped = entries(this.cursor, Math.max(this.cursor, seq));
    const repeated = entries(Math.min(this.cursor, seq), this.cursor);
    for (const entry of skipped) this.log.release(entry);
    for (const entry of repeated) entry.groupsLeft++;
    this.cursor = seq;
    this.wake();
    return messagesIn(skipped) - messagesIn(repeated);
  }

  /** How many messages `seek` would skip. */
  between(seq: number): number {
    let messages = 0;
    for (let at = this.cursor; at < seq; at++) messages += this.log.entry(at)?.messages ?? 0;
    return messages;
  }

  /** Drops what waits, retries included. Returns how many messages that were. */
  purge(): number {
    let messages = this.seek(this.log.end);
    for (let task = this.returned.shift(); task; task = this.returned.shift()) {
      messages += unsettled(task);
      this.finish(task);
    }
    for (const [task, appointment] of this.retries) {
      appointment.cancel();
      messages += unsettled(task);
      this.finish(task);
    }
    this.retries.clear();
    return messages;
  }

  /** Is done with all that it has not handled, and with what comes back later. */
  remove(): void {
    this.removed = true;
    while (this.cursor < this.log.end) {
      const entry = this.log.entry(this.cursor++);
      if (entry) this.log.release(entry);
    }
    for (let task = this.returned.shift(); task; task = this.returned.shift()) this.finish(task);
  }

  again(task: Task, delayMs: number): void {
    if (this.removed) {
      this.finish(task);
      return;
    }
    if (delayMs > 0) {
      const back = this.log.agenda.in(delayMs, () => {
        this.retries.delete(task);
        this.again(task, 0);
      });
      this.retries.set(task, back);
      return;
    }
    task.backMs = this.log.monotonic();
    this.returned.push(task);
    this.wake();
  }

  retryPart(task: Task, frame: Uint8Array, delayMs: number): void {
    const { expiresMs, replays, storedMs } = task.entry;
    const entry = this.log.privateEntry({ frame, messages: 1, expiresMs, replays, storedMs });
    this.again({ entry, attempt: task.attempt + 1 }, delayMs);
  }

  bury(task: Task, reason: DeadLetterReason): void {
    const { entry, settledParts } = task;
    const letter = this.letterOf(task, entry.frame, reason);
    this.deadLetters.add({ letter, messages: entry.messages, settledParts });
  }

  buryPart(task: Task, frame: Uint8Array, reason: DeadLetterReason): void {
    this.deadLetters.add({ letter: this.letterOf(task, frame, reason), messages: 1 });
  }

  private letterOf({ attempt, entry }: Task, frame: Uint8Array, reason: DeadLetterReason): DeadLetter {
    return {
      ...reason,
      frame,
      attempts: attempt + (reason.attempts ?? 1) - 1,
      position: this.log.nextPosition(),
      originalPosition: entry.position,
      failedAt: this.log.now(),
      replays: entry.replays ?? 0,
    };
  }

  private get waitingCount(): number {
    return this.returned.size + (this.log.end - this.cursor);
  }

  /** The next task, or undefined where the next one has expired or was dropped. */
  private take(): Task | undefined {
    const task = this.returned.shift() ?? this.takeNew();
    if (task === undefined || !this.log.expired(task.entry)) return task;
    this.finish(task);
    return undefined;
  }

  private takeNew(): Task | undefined {
    const entry = this.log.entry(this.cursor++);
    if (entry === undefined) return undefined;
    this.position = entry.position;
    return { entry, attempt: 1 };
  }

  private freeMember(): GroupMember | undefined {
    return this.members.some(({ exclusive }) => exclusive) ? this.soleReader() : this.nextFree();
  }

  /** A reader that has left is followed only when nothing of it is in flight any more. */
  private soleReader(): GroupMember | undefined {
    const { reader } = this;
    const stays = reader !== undefined && (this.members.includes(reader) || reader.unsettled > 0);
    this.reader = stays ? reader : this.members[0];
    return this.reader.ready ? this.reader : undefined;
  }

  /** The members take turns. */
  private nextFree(): GroupMember | undefined {
    const { members } = this;
    for (let tried = 0; tried < members.length; tried++) {
      if (this.nextMember >= members.length) this.nextMember = 0;
      const member = members[this.nextMember++];
      if (member.ready) return member;
    }
    return undefined;
  }
}

function messagesIn(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { messages }) => sum + messages, 0);
}
