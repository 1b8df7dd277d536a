import { type DriverPublishOptions, type DriverReceipt } from '../../driver/driver.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { DriverError } from '../../errors/driver.errors.js';
import { AbandonedGroups } from './abandoned-groups.js';
import { ConsumerGroup } from './consumer-group.js';
import type { TopicIds } from './deduplication-ids.js';
import { DelayedEntries } from './delayed-entries.js';
import { type GroupLog, tellExpired } from './group-log.js';
import type { FreshEntry, LogEntry, PrivateEntry } from './log-entry.js';
import type { LogSettings } from './log-settings.js';
import { isBefore, Positions } from './positions.js';
import type { LogStanding } from './standing.js';

const never = Number.POSITIVE_INFINITY;

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
  private readonly delayed: DelayedEntries;
  /** Messages ever stored. */
  private published = 0;
  private readonly abandoned: AbandonedGroups;
  /** Entries that stand in no log. */
  private apart = 0;
  /** Of the entries, those included that stand in no log. */
  private bytes = 0;
  private earliestExpiryMs = never;
  private readonly positions: Positions;

  constructor(
    readonly topic: string,
    readonly settings: LogSettings,
  ) {
    this.abandoned = new AbandonedGroups(topic, settings);
    this.positions = new Positions(settings.clock);
    this.delayed = new DelayedEntries(settings.agenda, (entry) => this.add(entry));
    this.seen = settings.deduplication.topic();
  }

  /** How many frames are kept: those in the log, delayed ones, and parts that wait to be tried again. */
  get length(): number {
    return this.entries.size + this.delayed.all.size + this.apart;
  }

  /** Keeps a copy of `frame`. Throws DriverError when the log is full. */
  append(frame: Uint8Array, options: DriverPublishOptions): DriverReceipt {
    const nowMs = this.settings.clock.monotonic();
    const earlier = options.deduplicate ? this.seen.find(options.id, nowMs) : undefined;
    if (earlier !== undefined) return { position: earlier, duplicate: true };
    if (this.isUnread) this.trimUnread(frame.byteLength);
    if (nowMs >= this.abandoned.lookMs)
      this.abandoned.look(nowMs, this.groups, (group) => this.removeGroup(group));
    this.assertRoom(frame.byteLength, nowMs);
    const position = this.positions.next();
    if (options.deduplicate && this.seen.add(options.id, position, nowMs)) {
      const { maxIds, windowMs } = this.settings.deduplication;
      this.settings.status({ type: 'deduplication-full', maxIds, windowMs });
    }
    const expiresMs = options.ttlMs === undefined ? never : nowMs + options.ttlMs;
    this.earliestExpiryMs = Math.min(this.earliestExpiryMs, expiresMs);
    const { messages = 1, delayMs = 0 } = options;
    const fresh = { frame: Buffer.from(frame), messages, position, expiresMs };
    if (delayMs > 0) this.delayed.add(fresh, delayMs);
    else this.add(fresh);
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
  privateEntry({ frame, storedMs = this.settings.clock.monotonic(), ...others }: PrivateEntry): LogEntry {
    this.apart++;
    this.bytes += frame.byteLength;
    const position = this.positions.next();
    return { ...others, seq: -1, position, frame: Buffer.from(frame), storedMs, groupsLeft: 1 };
  }

  /** One more group is done with the entry. */
  release(entry: LogEntry): void {
    if (--entry.groupsLeft <= 0) this.drop(entry);
  }

  expired(entry: LogEntry): boolean {
    return entry.expiresMs !== never && entry.expiresMs <= this.settings.clock.monotonic();
  }

  /** What it holds at this moment. */
  get standing(): LogStanding {
    const { topic, entries, end, published } = this;
    const { clock } = this.settings;
    return {
      topic,
      entries,
      end,
      published,
      bytes: this.bytes + this.delayed.bytes,
      later: this.delayed.all,
      groups: Array.from(this.groups.values(), (group) => group.standing),
      nowMs: clock.monotonic(),
      at: Math.trunc(clock.now()),
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
    this.abandoned.forget(name);
    return this.groups.delete(name);
  }

  findGroup(name: string): ConsumerGroup | undefined {
    return this.groups.get(name);
  }

  /** The group of that name; a new one begins where `startFrom` says. */
  group(name: string, startFrom: 'beginning' | 'new'): ConsumerGroup {
    let group = this.groups.get(name);
    if (group === undefined) {
      let first = this.end;
      if (startFrom === 'beginning') {
        first = this.entries.keys().next().value ?? this.end;
        for (const entry of this.entries.values()) entry.groupsLeft++;
      }
      group = new ConsumerGroup(this, name, first);
      this.groups.set(name, group);
    }
    return group;
  }

  /** A new position, later than all before. */
  nextPosition(): string {
    return this.positions.next();
  }

  /** Adds what is published with a delay now. False if it is not there any more. */
  publishDelayed(position: string): boolean {
    return this.delayed.publish(position);
  }

  /** Takes out what is published with a delay. Whether it was there. */
  removeDelayed(position: string): boolean {
    return this.delayed.take(position) !== undefined;
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
    for (const position of [...this.delayed.all.keys()])
      messages += this.delayed.take(position)?.messages ?? 0;
    return messages;
  }

  private add(fresh: FreshEntry): void {
    const seq = this.end++;
    const storedMs = this.settings.clock.monotonic();
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
      `The topic "${this.topic}" is full: ${this.length} messages with ${this.bytes + this.delayed.bytes} bytes are kept and ` +
        `not yet handled by every group${this.blame()}`,
    );
  }

  private blame(): string {
    return [...this.groups]
      .filter(([, { size }]) => size === 0)
      .map(([name, { waiting }]) => `; the group "${name}" has no members and holds ${waiting}`)
      .join('');
  }

  private hasRoom(comingBytes: number): boolean {
    const { maxLength, maxBytes } = this.settings;
    return this.length < maxLength && this.bytes + this.delayed.bytes + comingBytes <= maxBytes;
  }

  /** Makes room for so many bytes among what no group waits for. */
  private trimUnread(comingBytes: number): void {
    const { maxLength, maxBytes, maxAgeMs } = this.settings.unread;
    const oldestMs = this.settings.clock.now() - maxAgeMs;
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
    const gone = [...this.entries.values()].filter((entry) => this.expired(entry));
    for (const entry of gone) this.drop(entry);
    this.earliestExpiryMs = never;
    for (const { expiresMs } of this.entries.values())
      this.earliestExpiryMs = Math.min(this.earliestExpiryMs, expiresMs);
    for (const group of this.groups.values()) group.expire(gone);
    if (this.isUnread) tellExpired(this, undefined, gone);
  }
}
