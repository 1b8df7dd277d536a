import {
  type DeadLetterReason,
  type Delivery,
  type DeliveryPart,
  partPosition,
} from '../../../../driver/delivery.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import { countsOf, EntryParts, isSuspect, type StreamEntry } from '../stream-entry.js';
import { asBuffer, type ScriptArgument } from '../stream-script.js';

const done = Promise.resolve();
const nothing = () => {};

/** Records the outcomes of deliveries. */
export interface DeliveryRecords {
  /** Resolves when the outcome is recorded. `whole`: of the entry, not of a part. */
  add(
    delivery: StreamDelivery,
    kind: 'a' | 'A' | 'r' | 'd',
    args: readonly ScriptArgument[],
    whole: boolean,
    delayMs?: number,
  ): Promise<void>;
  /** The delivery's settled parts are to be written. */
  noteParts(delivery: StreamDelivery): void;
  /** The handler of what `name` names is about to start. */
  begins(name: string): void;
  /** Now, on the server's clock. */
  serverNow(): number;
}

/** Where a delivery stands: read, handed over, settled or taken away. */
export type DeliveryPhase = 'waiting' | 'handed' | 'over';

/** How often a process died that held the entry: while its handler ran (`crashes`), or before (`deaths`). */
type Deaths = Pick<StreamEntry, 'crashes' | 'deaths'>;

/** One entry in the hands of this process, until its outcome is recorded. */
export class StreamDelivery implements Delivery {
  phase: DeliveryPhase = 'waiting';
  refusal: DiscoBusError | undefined;
  /** The subscription that it was handed to. */
  holder: { ended(): void } | undefined;
  /** Where it stands among all that its consumer holds. */
  seat = 0;
  /** Why it is settled without any handler; undefined where a handler decides. */
  givenUp: 'expired' | 'unreadable' | undefined;
  /** When its handler began, or that of its first part, on the server's clock. */
  beganMs: number | undefined;
  /** Names the entry among all that the consumer holds. */
  readonly key: string;
  private parts: EntryParts | undefined;
  private begunParts: Set<number> | undefined;

  constructor(
    readonly topic: string,
    readonly entry: StreamEntry,
    private readonly records: DeliveryRecords,
  ) {
    this.key = entry.letter + entry.id;
    if (entry.settledParts.length > 0) this.parts = new EntryParts(entry.settledParts);
  }

  get frame(): Uint8Array {
    return this.entry.frame ?? this.entry.raw ?? Buffer.alloc(0);
  }

  get attempt(): number {
    const { failures, crashes, releases } = this.entry;
    return failures + crashes + releases + 1;
  }

  /** Also those attempts that were ended by closing their driver: no fault of the message either. */
  get crashes(): number {
    return this.entry.crashes + this.entry.releases;
  }

  get waits(): number {
    return this.entry.waits;
  }

  get replays(): number {
    return this.entry.replays;
  }

  get ageMs(): number {
    return Math.max(0, this.records.serverNow() - Number.parseInt(this.entry.origin, 10));
  }

  get position(): string {
    return this.entry.origin;
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.parts?.before;
  }

  /** Parts that were acknowledged and that Redis may not know of, as the scripts want them; empty when there is none. */
  get partList(): string {
    return this.parts?.unrecorded.join(',') ?? '';
  }

  /** To be called before `partList` is sent; the result is to be called once Redis has recorded it. */
  sendParts(): () => void {
    return this.parts?.send() ?? nothing;
  }

  /** Whether it may have crashed a process, and so is to be tried alone. */
  get isSuspect(): boolean {
    return isSuspect(this.entry);
  }

  /** Whether its time to live is over, on the server's clock. */
  isExpired(serverNowMs: number): boolean {
    const { expiresMs } = this.entry;
    return expiresMs > 0 && expiresMs <= serverNowMs;
  }

  begin(part?: DeliveryPart): void {
    this.beganMs ??= this.records.serverNow();
    if (part !== undefined) {
      this.begunParts ??= new Set();
      this.begunParts.add(part.index);
    }
    this.records.begins(nameOf(this.key, part?.index));
  }

  /** Messages of it that are not settled. */
  get messages(): number {
    return Math.max(1, this.entry.messages - (this.parts?.size ?? 0));
  }

  /** Its handler has begun, or that of a part. */
  get hasBegun(): boolean {
    return this.beganMs !== undefined;
  }

  /** Messages of it whose handlers run. */
  get begun(): number {
    return this.phase === 'handed' ? this.begunNames().length : 0;
  }

  /** Whether it has begun as a whole. False for a bundle that is handled in parts: further parts may begin. */
  get hasWhollyBegun(): boolean {
    return this.hasBegun && this.begunParts === undefined;
  }

  /** What has begun of it, as the mark of what runs names it. */
  begunNames(): readonly string[] {
    if (!this.hasBegun) return [];
    if (this.begunParts === undefined) return [this.key];
    return [...this.begunParts]
      .filter((part) => !this.parts?.has(part))
      .map((part) => nameOf(this.key, part));
  }

  ack(part?: DeliveryPart): Promise<void> {
    if (part === undefined)
      return this.end() ? this.records.add(this, this.parts ? 'A' : 'a', [], true) : done;
    if (!this.endPart(part)) return done;
    this.parts?.acknowledge(part.index);
    this.records.noteParts(this);
    return done;
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (!this.settle(part)) return done;
    return this.comeBack(delayMs, { failures: this.entry.failures + 1 }, part);
  }

  release(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (!this.settle(part)) return done;
    return this.comeBack(delayMs, { waits: this.entry.waits + 1 }, part);
  }

  deadLetter({ reason, error, attempts = 1 }: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (!this.settle(part)) return done;
    const fields: ScriptArgument[] = ['f', asBuffer(part?.frame ?? this.frame)];
    fields.push('attempts', this.attempt + attempts - 1, 'o', this.originOf(part), 'r', this.entry.replays);
    if (error !== undefined) fields.push('name', error.name, 'message', error.message);
    return this.records.add(this, 'd', this.args(part, 0, reason, fields), part === undefined);
  }

  /** Gives the open parts back one by one, with what is known of the bundle, and ends the bundle. */
  async split(frames: readonly Uint8Array[]): Promise<void> {
    this.phase = 'handed';
    const moved = frames
      .map((frame, index) => ({ frame, index }))
      .filter((part) => this.endPart(part))
      .map((part) => this.comeBack(0, this.deathsOf(part.index), part));
    await Promise.all(moved);
    await this.ack();
  }

  /** Acknowledges it unhandled: its time to live is over. */
  discard(): void {
    this.givenUp = 'expired';
    this.ack().catch(() => undefined);
  }

  /** Of a part that had not begun when its process died, the last crash was none of its own. */
  private deathsOf(part: number): Deaths {
    const { crashes, deaths, begunParts } = this.entry;
    if (crashes === 0 || begunParts.length === 0 || begunParts.includes(part)) return { crashes, deaths };
    return { crashes: crashes - 1, deaths: deaths + 1 };
  }

  private comeBack(delayMs: number, counted: Partial<StreamEntry>, part?: DeliveryPart): Promise<void> {
    const counts = countsOf({ ...this.entry, deaths: 0, ...counted });
    const fields = ['f', asBuffer(part?.frame ?? this.frame), 'o', this.originOf(part), ...counts];
    return this.records.add(this, 'r', this.args(part, delayMs, '', fields), part === undefined, delayMs);
  }

  private args(
    part: DeliveryPart | undefined,
    delayMs: number,
    reason: string,
    fields: readonly ScriptArgument[],
  ): ScriptArgument[] {
    return [part?.index ?? '', this.partList, Math.ceil(delayMs), reason, fields.length, ...fields];
  }

  private originOf(part: DeliveryPart | undefined): string {
    return partPosition(this.entry.origin, part?.index);
  }

  private settle(part: DeliveryPart | undefined): boolean {
    return part === undefined ? this.end() : this.endPart(part);
  }

  /** True for the one call that settles. */
  private end(): boolean {
    if (this.phase === 'over') return false;
    this.phase = 'over';
    return true;
  }

  private endPart({ index }: DeliveryPart): boolean {
    if (this.phase === 'over') return false;
    this.parts ??= new EntryParts([]);
    return this.parts.settle(index);
  }
}

function nameOf(key: string, part: number | undefined): string {
  return part === undefined ? key : `${key}#${part}`;
}
