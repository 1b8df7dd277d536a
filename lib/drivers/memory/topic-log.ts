import { type DriverPublishOptions, type DriverReceipt } from '../../driver/driver.js';
import type { DriverStatus } from '../../driver/driver-status.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { DriverError } from '../../errors/driver.errors.js';
import { type Clock } from '../../timing/clock.js';
import { type Agenda } from './agenda.js';
import { ConsumerGroup, type GroupLog } from './consumer-group.js';
import type { DeadLetterBounds } from './dead-letter-list.js';
import type { DeduplicationIds, TopicIds } from './deduplication-ids.js';
import type { DelayedEntry, FreshEntry, LogEntry, PrivateEntry } from './log-entry.js';
import type { LogStanding } from './standing.js';
import { type Turn } from './turn.js';

/** What all logs of a broker share. */
export interface LogSettings {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly agenda: Agenda;
  readonly deduplication: DeduplicationIds;
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxDeadLetters: number;
  /** What is kept of a topic while it has no group. */
  readonly unread: UnreadBounds;
  readonly abandoned: { readonly warnAfterMs: number; readonly removeAfterMs: number | undefined };
  readonly status: (status: DriverStatus) => void;
}

/** How much is kept of a topic that no group has ever read. */
export interface UnreadBounds {
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

const never = Number.POSITIVE_INFINITY;
/** How often groups that nobody reads are looked for, unless they are to be told or removed sooner. */
const LOOK_MS = 30_000;

/**
 * The frames of one topic, in order, and the groups that read them. A frame is dropped when every group is done with
 * it; while the topic has no group at all, what the bounds allow is kept for the first one that starts at the beginning.
 */
export class TopicLog implements GroupLog {
  /** The sequence number that the next entry gets. */
  end = 0;
  private readonly entries = new Map<number, LogEntry>();
  private readonly groups = new Map<string, ConsumerGroup>();
  private readonly seen: TopicIds;
  private readonly later = new Map<string, DelayedEntry>();
  /** Messages ever stored. */
  private published = 0;
  /** When groups that nobody reads are looked for again. */
  private lookMs = 0;
  private readonly told = new Set<string>();
  /** Entries that stand in no log. */
  private apart = 0;
  /** Of the entries, those included that stand in no log. */
  private bytes = 0;
  private delayedBytes = 0;
  private earliestExpiryMs = never;
  private lastMs = 0;
  private lastIndex = 0;

  constructor(
    readonly topic: string,
    private readonly settings: LogSettings,
  ) {
    this.seen = settings.deduplication.topic();
  }

  get turn(): Turn {
    return this.settings.turn;
  }

  get agenda(): Agenda {
    return this.settings.agenda;
  }

  /** What a group keeps of dead letters. */
  get deadLetterBounds(): DeadLetterBounds {
    const { maxDeadLetters: maxLength, maxBytes } = this.settings;
    return { maxLength, maxBytes };
  }

  /** So many of the oldest dead letters of `group` gave way to a newer one; `maxBytes` where that was the bound. */
  outlived(group: string, dropped: number, maxBytes: number | undefined): void {
    const { topic } = this;
    const { maxDeadLetters } = this.settings;
    const bounds = maxBytes === undefined ? { maxDeadLetters } : { maxDeadLetters, maxBytes };
    this.settings.status({ type: 'dead-letters-full', topic, group, dropped, ...bounds });
  }

  /** How many frames are kept: those in the log, delayed ones, and parts that wait to be tried again. */
  get length(): number {
    return this.entries.size + this.later.size + this.apart;
  }

  /** Keeps a copy of `frame`. Throws DriverError when the log is full. */
  append(frame: Uint8Array, options: DriverPublishOptions): DriverReceipt {
    const nowMs = this.settings.clock.monotonic();
    const earlier = options.deduplicate ? this.seen.find(options.id, nowMs) : undefined;
    if (earlier !== undefined) return { position: earlier, duplicate: true };
    if (this.isUnread) this.trimUnread(frame.byteLength);
    if (nowMs >= this.lookMs) this.lookForAbandoned(nowMs);
    this.assertRoom(frame.byteLength, nowMs);
    const position = this.nextPosition();
    if (options.deduplicate && this.seen.add(options.id, position, nowMs)) this.tellForgotten();
    const expiresMs = options.ttlMs === undefined ? never : nowMs + options.ttlMs;
    this.earliestExpiryMs = Math.min(this.earliestExpiryMs, expiresMs);
    const { messages = 1, delayMs = 0 } = options;
    this.addLater({ frame: Buffer.from(frame), messages, position, expiresMs }, delayMs);
    return { position };
  }

  /** Whether no group has ever read it. */
  get isUnread(): boolean {
    return this.groups.size === 0;
  }

  /** The entry with that number, unless it was dropped. */
  entry(seq: number): LogEntry | undefined {
    return this.entries.get(seq);
  }

  /** An entry that stands in no log: one group keeps it for itself. */
  privateEntry({
    frame,
    messages,
    expiresMs,
    replays = 0,
    storedMs = this.monotonic(),
  }: PrivateEntry): LogEntry {
    this.apart++;
    this.bytes += frame.byteLength;
    return {
      seq: -1,
      position: this.nextPosition(),
      frame: Buffer.from(frame),
      messages,
      storedMs,
      expiresMs,
      groupsLeft: 1,
      replays,
    };
  }

  /** One more group is done with the entry. */
  release(entry: LogEntry): void {
    if (--entry.groupsLeft <= 0) this.drop(entry);
  }

  expired(entry: LogEntry): boolean {
    return entry.expiresMs !== never && entry.expiresMs <= this.settings.clock.monotonic();
  }

  monotonic(): number {
    return this.settings.clock.monotonic();
  }

  /** Wall-clock time. */
  now(): number {
    return this.settings.clock.now();
  }

  /** What it holds at this moment. */
  get standing(): LogStanding {
    const { topic, entries, end, published, later } = this;
    return {
      topic,
      entries,
      end,
      published,
      bytes: this.bytes + this.delayedBytes,
      later,
      groups: Array.from(this.groups.values(), (group) => group.standing),
      nowMs: this.monotonic(),
      at: Math.trunc(this.now()),
    };
  }

  /** The names of the groups that read it. */
  get groupNames(): readonly string[] {
    return [...this.groups.keys()];
  }

  /** Whether there was a group of that name. Throws ConfigurationError while it has members. */
  removeGroup(name: string): boolean {
    const group = this.groups.get(name);
    if (group === undefined) return false;
    if (group.size > 0)
      throw new ConfigurationError(`The group "${name}" of "${this.topic}" has live members`);
    group.remove();
    this.told.delete(name);
    return this.groups.delete(name);
  }

  findGroup(name: string): ConsumerGroup | undefined {
    return this.groups.get(name);
  }

  /** The group of that name; a new one begins where `startFrom` says. */
  group(name: string, startFrom: 'beginning' | 'new'): ConsumerGroup {
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new ConsumerGroup(this, name, startFrom === 'new' ? this.end : this.claimAll());
      this.groups.set(name, group);
    }
    return group;
  }

  /** Counts one more group for every kept entry; returns the number of the first. */
  private claimAll(): number {
    for (const entry of this.entries.values()) entry.groupsLeft++;
    return this.entries.keys().next().value ?? this.end;
  }

  private tellForgotten(): void {
    const { maxIds, windowMs } = this.settings.deduplication;
    this.settings.status({ type: 'deduplication-full', maxIds, windowMs });
  }

  private addLater(fresh: FreshEntry, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(fresh);
      return;
    }
    this.delayedBytes += fresh.frame.byteLength;
    const due = this.settings.agenda.in(delayMs, () => this.publishDelayed(fresh.position));
    this.later.set(fresh.position, { ...fresh, due });
  }

  /** Adds what is published with a delay now. False if it is not there any more. */
  publishDelayed(position: string): boolean {
    const fresh = this.takeDelayed(position);
    if (fresh !== undefined) this.add(fresh);
    return fresh !== undefined;
  }

  /** Takes out what is published with a delay. */
  takeDelayed(position: string): DelayedEntry | undefined {
    const delayed = this.later.get(position);
    if (delayed === undefined) return undefined;
    this.later.delete(position);
    this.delayedBytes -= delayed.frame.byteLength;
    delayed.due.cancel();
    return delayed;
  }

  /** The number of the first entry that is at or after `position`; the end where there is none. */
  seqFrom(position: string): number {
    for (const { seq, position: at } of this.entries.values()) if (!isBefore(at, position)) return seq;
    return this.end;
  }

  /** Drops all that is kept, of a topic that no group reads. Returns how many messages that were. */
  purge(): number {
    let messages = 0;
    for (const entry of this.entries.values()) {
      messages += entry.messages;
      this.drop(entry);
    }
    for (const position of [...this.later.keys()]) messages += this.takeDelayed(position)?.messages ?? 0;
    return messages;
  }

  private add(fresh: FreshEntry): void {
    const seq = this.end++;
    const storedMs = this.monotonic();
    const { frame, messages, position, expiresMs } = fresh;
    const groupsLeft = this.groups.size;
    this.entries.set(seq, { seq, position, frame, messages, storedMs, expiresMs, groupsLeft });
    this.published += messages;
    this.bytes += frame.byteLength;
    for (const group of this.groups.values()) group.wake();
  }

  private drop(entry: LogEntry): void {
    if (entry.seq < 0) this.apart--;
    else if (!this.entries.delete(entry.seq)) return;
    this.bytes -= entry.frame.byteLength;
  }

  private assertRoom(comingBytes: number, nowMs: number): void {
    if (this.hasRoom(comingBytes)) return;
    if (this.earliestExpiryMs <= nowMs) this.dropExpired();
    if (this.hasRoom(comingBytes)) return;
    throw new DriverError(
      `The topic "${this.topic}" is full: ${this.length} messages with ${this.bytes + this.delayedBytes} bytes are kept and ` +
        `not yet handled by every group${this.blame()}`,
    );
  }

  /** Groups that nobody reads any more are told once each, and removed where that is wished. */
  private lookForAbandoned(nowMs: number): void {
    const { warnAfterMs, removeAfterMs = never } = this.settings.abandoned;
    this.lookMs = nowMs + Math.min(LOOK_MS, warnAfterMs, removeAfterMs);
    for (const [group, { size, leftMs: since, waiting: messages }] of this.groups) {
      const aloneMs = this.now() - since;
      if (size > 0 || aloneMs < warnAfterMs) continue;
      const removed = aloneMs >= removeAfterMs && this.removeGroup(group);
      if (!removed && this.told.has(group)) continue;
      this.told.add(group);
      this.settings.status({ type: 'abandoned', topic: this.topic, group, messages, since, removed });
    }
  }

  private blame(): string {
    return [...this.groups]
      .filter(([, { size }]) => size === 0)
      .map(([name, { waiting }]) => `; the group "${name}" has no members and holds ${waiting}`)
      .join('');
  }

  private hasRoom(comingBytes: number): boolean {
    const { maxLength, maxBytes } = this.settings;
    return this.length < maxLength && this.bytes + this.delayedBytes + comingBytes <= maxBytes;
  }

  /** Makes room for so many bytes among what no group waits for. */
  private trimUnread(comingBytes: number): void {
    const { maxLength, maxBytes, maxAgeMs } = this.settings.unread;
    const oldestMs = this.now() - maxAgeMs;
    let gone = 0;
    for (const entry of this.entries.values()) {
      const isOver = this.entries.size >= maxLength || this.bytes + comingBytes > maxBytes;
      if (!isOver && Number.parseInt(entry.position, 10) >= oldestMs) break;
      this.drop(entry);
      gone++;
    }
    if (gone > 0) this.settings.status({ type: 'trimmed', topic: this.topic, entries: gone });
  }

  private dropExpired(): void {
    this.earliestExpiryMs = never;
    for (const entry of this.entries.values()) {
      if (this.expired(entry)) this.drop(entry);
      else this.earliestExpiryMs = Math.min(this.earliestExpiryMs, entry.expiresMs);
    }
  }

  /** Like a stream's ids: the time and a count within it, always rising also when the wall clock goes back. */
  nextPosition(): string {
    const nowMs = Math.trunc(this.settings.clock.now());
    if (nowMs > this.lastMs) {
      this.lastMs = nowMs;
      this.lastIndex = 0;
    } else {
      this.lastIndex++;
    }
    return `${this.lastMs}-${this.lastIndex}`;
  }
}

/** Whether one position comes before another. */
function isBefore(one: string, other: string): boolean {
  const [ms, index] = one.split('-').map(Number);
  const [otherMs, otherIndex = 0] = other.split('-').map(Number);
  return ms === otherMs ? index < otherIndex : ms < otherMs;
}
