import type { DeadLetterReason, Delivery, DeliveryPart } from '../../../../driver/delivery.js';
import { partPosition } from '../../../../driver/part-position.js';
import type { DiscoBusError } from '../../../../errors/disco-bus-error.js';
import type { StreamEntry } from '../stream-entry.js';
import type { ScriptArgument } from '../stream-script.js';

const done = Promise.resolve();

/** Who records the outcomes of deliveries. */
export interface DeliverySettler {
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
  /** Now, on the server's clock. */
  serverNow(): number;
}

/** Where a delivery stands: read, handed over, settled or taken away. */
export type DeliveryPhase = 'waiting' | 'begun' | 'over';

/** One entry in the hands of this process, until its outcome is recorded. */
export class StreamDelivery implements Delivery {
  phase: DeliveryPhase = 'waiting';
  refusal: DiscoBusError | undefined;
  /** The subscription that it was handed to. */
  holder: { ended(delivery: StreamDelivery): boolean } | undefined;
  /** Names the entry among all that the consumer holds. */
  readonly key: string;
  /** Parts that were settled in this attempt, and those of them that were acknowledged: the others tell it themselves. */
  private parts: Set<number> | undefined;
  private acknowledged: number[] | undefined;
  private readonly partsBefore: ReadonlySet<number> | undefined;

  constructor(
    readonly topic: string,
    readonly entry: StreamEntry,
    private readonly settlements: DeliverySettler,
  ) {
    this.key = entry.letter + entry.id;
    if (entry.settledParts.length > 0) this.partsBefore = new Set(entry.settledParts);
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

  get ageMs(): number {
    return Math.max(0, this.settlements.serverNow() - Number.parseInt(this.entry.origin, 10));
  }

  get position(): string {
    return this.entry.origin;
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.partsBefore;
  }

  /** Parts that were acknowledged, now or before, as the scripts want them; empty when there is none. */
  get partList(): string {
    const { settledParts } = this.entry;
    return (this.acknowledged === undefined ? settledParts : [...settledParts, ...this.acknowledged]).join(
      ',',
    );
  }

  ack(part?: DeliveryPart): Promise<void> {
    if (part === undefined) return this.end() ? this.acknowledge() : done;
    if (!this.endPart(part)) return done;
    this.acknowledged ??= [];
    this.acknowledged.push(part.index);
    this.settlements.noteParts(this);
    return done;
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    if (!this.settle(part)) return done;
    return this.comeBack(this.entry.failures + 1, delayMs, part);
  }

  deadLetter({ reason, error, attempts = 1 }: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    if (!this.settle(part)) return done;
    const fields: ScriptArgument[] = ['f', asBuffer(part?.frame ?? this.frame), 'reason', reason];
    fields.push('attempts', this.attempt + attempts - 1, 'o', this.originOf(part), 'r', this.entry.replays);
    if (error !== undefined) fields.push('name', error.name, 'message', error.message);
    return this.settlements.add(this, 'd', this.args(part, 0, fields), part === undefined);
  }

  /** Gives the open parts back one by one, with what is known of the bundle, and ends the bundle. */
  async split(frames: readonly Uint8Array[]): Promise<void> {
    this.phase = 'begun';
    const open = frames
      .map((frame, index) => ({ frame, index }))
      .filter(({ index }) => !this.partsBefore?.has(index));
    const moved = open
      .filter((part) => this.endPart(part))
      .map((part) => this.comeBack(this.entry.failures, 0, part));
    await Promise.all(moved);
    await this.ack();
  }

  /** Acknowledges what nobody is to handle. */
  discard(): void {
    this.phase = 'over';
    this.acknowledge().catch(() => undefined);
  }

  private acknowledge(): Promise<void> {
    const hasParts = this.parts !== undefined || this.partsBefore !== undefined;
    return this.settlements.add(this, hasParts ? 'A' : 'a', [], true);
  }

  private comeBack(failures: number, delayMs: number, part: DeliveryPart | undefined): Promise<void> {
    const { crashes, releases, expiresMs, replays } = this.entry;
    const fields: ScriptArgument[] = ['f', asBuffer(part?.frame ?? this.frame), 'a', failures, 'c', crashes];
    fields.push('n', releases, 'o', this.originOf(part), 'x', expiresMs || '', 'r', replays);
    return this.settlements.add(this, 'r', this.args(part, delayMs, fields), part === undefined, delayMs);
  }

  private args(
    part: DeliveryPart | undefined,
    delayMs: number,
    fields: readonly ScriptArgument[],
  ): ScriptArgument[] {
    return [part?.index ?? '', this.partList, Math.ceil(delayMs), fields.length, ...fields];
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
    if (this.phase === 'over' || this.partsBefore?.has(index) || this.parts?.has(index)) return false;
    this.parts ??= new Set();
    this.parts.add(index);
    return true;
  }
}

function asBuffer(frame: Uint8Array): Buffer {
  return Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}
