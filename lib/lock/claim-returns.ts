import type { LockClaim, LockStore } from '../driver/lock-store.js';
import { type Clock, type ClockTimer, sleep } from '../timing/clock.js';
import { asLockError } from './store-error.js';

/** The store is asked again after this, and twice as long each time, up to the second one. */
const firstRetryMs = 25;
const longestRetryMs = 1_000;
/** More are not remembered: the oldest become free by their time. */
const mostLeft = 10_000;
/** So many at a time are given back once the store answers again. */
const atATime = 100;
/** Closing waits no longer for a store that does not answer. */
const closingMs = 1_000;

/** A claim that the store could not be asked to take back, and when it has run out there by itself. */
interface Left {
  readonly claim: LockClaim;
  readonly endsMs: number;
}

/**
 * Gives back what nobody wants any more: after what was asked last for the claim is settled, so that nothing comes behind
 * its end; and, where the store cannot be asked, once it can be again, for as long as the claim may be held.
 */
export class ClaimReturns {
  private readonly underWay = new Set<Promise<unknown>>();
  /** Those that are under way, by token: one that is kept meanwhile is left for later no more. */
  private readonly wanted = new Map<string, LockClaim>();
  private readonly left = new Map<string, Left>();
  private retrying: Promise<void> | undefined;
  private wakeUp: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly store: Pick<LockStore, 'release'>,
    private readonly clock: Clock,
  ) {}

  /** Resolves when `claim` is given back, or is left for later. `sent` is what was asked last for it. */
  giveBack(claim: LockClaim, sent?: Promise<unknown>): Promise<void> {
    return this.track(this.afterwards(claim, sent));
  }

  /** As the store's own, with what fails left for later. */
  release(claim: LockClaim): Promise<boolean> {
    const noted = this.note(claim);
    const released = this.store.release(noted);
    void this.track(released.then(done, isRefused).then((ended) => this.settle(noted, ended)));
    return released;
  }

  /** `claim` is made again: it must not be given back for the sake of the past. */
  keep({ token }: LockClaim): void {
    this.wanted.delete(token);
    this.left.delete(token);
  }

  /** How many claims are still to be given back. */
  get size(): number {
    return this.underWay.size + this.left.size;
  }

  /** Waits for `last` and for what is under way, and tries once more what is left; then, or after a second, gives up. */
  async close(last: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.closed = true;
    this.wakeUp?.();
    const inTime = new AbortController();
    await Promise.race([
      this.lastOf(last).finally(() => inTime.abort()),
      sleep(closingMs, this.clock, inTime.signal),
    ]);
    inTime.abort();
    this.left.clear();
  }

  private async lastOf(last: Promise<unknown>): Promise<void> {
    await last;
    await this.retrying;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
    await Promise.all([...this.left.values()].map((left) => this.attempt(left.claim)));
  }

  private track(returned: Promise<void>): Promise<void> {
    this.underWay.add(returned);
    void returned.then(() => this.underWay.delete(returned));
    return returned;
  }

  private note(claim: LockClaim): LockClaim {
    const noted = { ...claim };
    this.wanted.set(claim.token, noted);
    return noted;
  }

  private async afterwards(claim: LockClaim, sent: Promise<unknown> | undefined): Promise<void> {
    const noted = this.note(claim);
    await sent?.catch(() => undefined);
    this.settle(noted, await this.attempt(noted));
  }

  private settle(claim: LockClaim, ended: boolean): void {
    if (this.wanted.get(claim.token) !== claim) return;
    this.wanted.delete(claim.token);
    if (ended) return;
    if (this.left.size === mostLeft) this.left.delete(this.left.keys().next().value!);
    this.left.set(claim.token, { claim, endsMs: this.clock.monotonic() + claim.ttlMs });
    if (!this.closed) this.retrying ??= this.retry();
  }

  /** False when the store could not be asked. */
  private attempt(claim: LockClaim): Promise<boolean> {
    return this.store.release(claim).then(done, isRefused);
  }

  /** One of those that are left tries for all: a store that is away is not asked by each. */
  private async retry(): Promise<void> {
    let pauseMs = firstRetryMs;
    while (this.left.size > 0 && !this.closed) {
      await this.pause(pauseMs);
      pauseMs = (await this.retryAll()) ? firstRetryMs : Math.min(longestRetryMs, pauseMs * 2);
    }
    this.retrying = undefined;
  }

  /** False when the store still cannot be asked. */
  private async retryAll(): Promise<boolean> {
    const now = this.clock.monotonic();
    for (const [token, { endsMs }] of this.left) if (endsMs <= now) this.left.delete(token);
    const [first, ...others] = this.left.values();
    if (first && !this.closed && !(await this.retryOne(first))) return false;
    for (let at = 0; at < others.length && !this.closed; at += atATime) {
      await Promise.all(others.slice(at, at + atATime).map((left) => this.retryOne(left)));
    }
    return true;
  }

  private async retryOne({ claim }: Left): Promise<boolean> {
    // Kept meanwhile, it belongs to somebody again.
    if (!this.left.has(claim.token)) return true;
    const done = await this.attempt(claim);
    if (done) this.left.delete(claim.token);
    return done;
  }

  /** Keeps no process alive. */
  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: ClockTimer = this.clock.setTimeout(() => this.wakeUp?.(), delayMs);
      (timer as { unref?: () => void }).unref?.();
      this.wakeUp = () => {
        this.clock.clearTimeout(timer);
        this.wakeUp = undefined;
        resolve();
      };
    });
  }
}

const done = (): boolean => true;

/** What the store refuses for good it will refuse again. */
function isRefused(error: unknown): boolean {
  return asLockError(error).code !== 'DISCO_LOCK_UNAVAILABLE';
}
