import {
  type ForcedReleaseProvider,
  forcedReleaseOf,
  type LockInspection,
  type LockInspectionProvider,
  type LockPage,
  type LockRange,
  lockInspectionOf,
} from '../../driver/lock-inspection.js';
import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockHint,
  LockHintListeners,
  type LockState,
  type LockStore,
} from '../../driver/lock-store.js';
import type { Wire } from './wire.js';

/** The locks of one bus of one instance. After a crash what it holds stays held until its time is over. */
export class SimulatedLockStore implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  /** By their tokens: what it holds, as far as it knows. */
  readonly held = new Map<string, LockClaim>();
  private readonly waiting = new Map<string, LockClaim>();
  private readonly listeners = new LockHintListeners();

  constructor(
    private readonly inner: LockStore,
    private readonly wire: Wire,
  ) {
    inner.onReleased((hint) => this.hear(hint));
  }

  get name(): string {
    return this.inner.name;
  }

  connect(): Promise<void> {
    return this.inner.connect();
  }

  async acquire(claim: LockClaim, options?: LockAcquireOptions): Promise<LockAnswer> {
    const { wire } = this;
    if (wire.cut) return wire.afterlife(`take the lock ${names(claim)}`);
    await wire.pass();
    const answer = await this.inner.acquire(claim, options);
    if (answer.granted) this.granted(claim);
    else if (options?.wait) this.waiting.set(claim.token, claim);
    await wire.pass();
    return answer;
  }

  async extend(claim: LockClaim): Promise<boolean> {
    const { wire } = this;
    if (wire.cut) return wire.afterlife(`extend the lock ${names(claim)}`);
    await wire.pass();
    const extended = await this.inner.extend(claim);
    await wire.pass();
    if (!extended) wire.world.story.tell(`${wire.instance} finds the lock ${names(claim)} lost`);
    return extended;
  }

  async release(claim: LockClaim): Promise<boolean> {
    const { wire } = this;
    if (wire.cut) return wire.afterlife(`give the lock ${names(claim)} back`);
    await wire.pass();
    this.waiting.delete(claim.token);
    const held = this.held.delete(claim.token);
    const released = await this.inner.release(claim);
    if (released) wire.world.story.tell(`${wire.instance} gives the lock ${names(claim)} back`);
    else if (held) wire.world.story.tell(`${wire.instance} finds the lock ${names(claim)} lost`);
    await wire.pass();
    return released;
  }

  async peek(key: string): Promise<LockState> {
    if (this.wire.cut) return this.wire.afterlife(`look at the lock "${key}"`);
    await this.wire.pass();
    return this.inner.peek(key);
  }

  inspect(key: string): Promise<LockInspection> {
    return lockInspectionOf(this.inner).inspect(key);
  }

  list(range: LockRange): Promise<LockPage> {
    return lockInspectionOf(this.inner).list(range);
  }

  forceRelease(key: string): Promise<number> {
    return forcedReleaseOf(this.inner).forceRelease(key);
  }

  introduce(tag: string): void {
    lockInspectionOf(this.inner).introduce(tag);
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.listeners.add(listener);
  }

  async close(): Promise<void> {
    this.listeners.clear();
    await this.inner.close();
  }

  /** The store forgets who holds it, and its holder is not told. Whether it was held. */
  lose(claim: LockClaim): Promise<boolean> {
    this.held.delete(claim.token);
    return this.inner.release(claim);
  }

  private granted(claim: LockClaim): void {
    this.waiting.delete(claim.token);
    if (!this.held.has(claim.token))
      this.wire.world.story.tell(`${this.wire.instance} takes the lock ${names(claim)}`);
    this.held.set(claim.token, claim);
  }

  private hear(hint: LockHint): void {
    if (this.wire.cut) return;
    const claim = hint.grant && this.waiting.get(hint.token ?? '');
    if (claim) this.granted(claim);
    const tookMs = this.wire.takes();
    const { grant } = hint;
    const told = grant ? { ...hint, grant: { ...grant, ageMs: grant.ageMs + tookMs } } : hint;
    if (tookMs === 0) this.listeners.emit(told);
    else this.wire.clock.setTimeout(() => this.listeners.emit(told), tookMs);
  }
}

function names({ keys }: LockClaim): string {
  return keys.map((key) => `"${key}"`).join(', ');
}
