import { type DeadLetterReason, type Delivery, type DeliveryPart } from '../../driver/delivery.js';
import type { Wire } from './wire.js';

/** A delivery in the hands of an instance: whatever becomes of it reaches the broker only later, or never. */
export class SimulatedDelivery implements Delivery {
  /** Where it is with the instance. */
  state: 'coming' | 'handling' | 'settling' | 'taken back' = 'coming';
  readonly release?: Delivery['release'];

  constructor(
    private readonly inner: Delivery,
    private readonly wire: Wire,
    /** What the story calls it. */
    readonly label: string,
    private readonly onSettled: (delivery: SimulatedDelivery) => void,
  ) {
    if (!inner.release) return;
    this.release = (delayMs, part) => this.settle(part, () => this.inner.release?.(delayMs, part));
  }

  get topic(): string {
    return this.inner.topic;
  }

  get frame(): Uint8Array {
    return this.inner.frame;
  }

  get decoded(): Delivery['decoded'] {
    return this.inner.decoded;
  }

  get refusal(): Delivery['refusal'] {
    return this.inner.refusal;
  }

  get attempt(): number {
    return this.inner.attempt;
  }

  get crashes(): number | undefined {
    return this.inner.crashes;
  }

  get waits(): number | undefined {
    return this.inner.waits;
  }

  get replays(): number | undefined {
    return this.inner.replays;
  }

  get ageMs(): number | undefined {
    return this.inner.ageMs;
  }

  get position(): string | undefined {
    return this.inner.position;
  }

  get settledParts(): ReadonlySet<number> | undefined {
    return this.inner.settledParts;
  }

  begin(part?: DeliveryPart): void {
    this.inner.begin?.(part);
  }

  ack(part?: DeliveryPart): Promise<void> {
    return this.settle(part, () => this.inner.ack(part));
  }

  retry(delayMs: number, part?: DeliveryPart): Promise<void> {
    return this.settle(part, () => this.inner.retry(delayMs, part));
  }

  deadLetter(reason: DeadLetterReason, part?: DeliveryPart): Promise<void> {
    return this.settle(part, () => this.inner.deadLetter(reason, part));
  }

  /** The broker gives it to somebody after `delayMs`, whatever becomes of it here. `sameAttempt`: it was not handled. */
  async takeBack(delayMs: number, sameAttempt: boolean): Promise<void> {
    this.onSettled(this);
    if (this.state === 'coming') this.state = 'taken back';
    if (sameAttempt && this.inner.release) await this.inner.release(delayMs);
    else await this.inner.retry(delayMs);
  }

  private async settle(part: DeliveryPart | undefined, run: () => unknown): Promise<void> {
    if (this.wire.cut) return this.wire.afterlife(`settle ${this.label}`);
    if (part === undefined) this.state = 'settling';
    await this.wire.pass();
    await run();
    if (part === undefined) this.onSettled(this);
    await this.wire.pass();
  }
}
