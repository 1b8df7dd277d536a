import type { LockClaim, LockStore } from '../driver/lock-store.js';
import { type Clock, sleep, unref } from '../timing/clock.js';
import { asLockError } from './store-error.js';

/** The store is asked again after this, and twice as long each time, up to the second one. */
const firstRetryMs = 25;
const longestRetryMs = 1_000;
/** More are not remembered: the oldest become free by their time. */
const mostLeft = 10_000;
/** So many at a time are given back once the store answers again. */
const atATime = 100;
/** A caller that gives up is told when the store has forgotten its claim, or after this if the store is slow. */
const withdrawalMs = 100;
/** Closing waits no longer for a store that does not answer. */
const closingMs = 1_000;

/** A claim that is given back. */
interface Return {
  readonly claim: LockClaim;
  /** Set once the store could not be asked: when the claim has run out there by itself. */
  endsMs?: number;
}

/**
 * Gives back what nobody wants any more: after what was asked last for the claim is settled, so that nothing comes behind
 * its end; and, where the store cannot be asked, once it can be again, for as long as the claim may be held.
 */
export class ClaimReturns {
  private readonly underWay = new Set<Promise<unknown>>();
  /** What is to be given back, by token: a claim that is made again is taken out. */
  private readonly returns = new Map<string, Return>();
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

  /** As {@link giveBack}; but a slow store does it later, and nobody waits for it. */
  async withdraw(claim: LockClaim, sent?: Promise<unknown>): Promise<void> {
    const gone = new AbortController();
    const withdrawn = this.giveBack(claim, sent).then(() => gone.abort());
    await Promise.race([withdrawn, sleep(withdrawalMs, this.clock, gone.signal)]);
  }

  /** As the store's own, with what fails left for later. */
  release(claim: LockClaim): Promise<boolean> {
    const noted = this.note(claim);
    const released = this.store.release(claim);
    void this.track(released.then(done, isRefused).then((ended) => this.settle(noted, ended)));
    return released;
  }

  /** `claim` is made again: it must not be given back for the sake of the past. */
  keep({ token }: LockClaim): void {
    this.returns.delete(token);
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
    this.returns.clear();
  }

  private async lastOf(last: Promise<unknown>): Promise<void> {
    await last;
    await this.retrying;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
    await Promise.all(this.left().map(({ claim }) => this.attempt(claim)));
  }

  private track(returned: Promise<void>): Promise<void> {
    this.underWay.add(returned);
    void returned.then(() => this.underWay.delete(returned));
    return returned;
  }

  private note(claim: LockClaim): Return {
    const noted = { claim };
    this.returns.set(claim.token, noted);
    return noted;
  }

  private async afterwards(claim: LockClaim, sent: Promise<unknown> | undefined): Promise<void> {
    const noted = this.note(claim);
    await sent?.catch(() => undefined);
    this.settle(noted, await this.attempt(claim));
  }

  private settle(noted: Return, ended: boolean): void {
    const { token, ttlMs } = noted.claim;
    if (this.returns.get(token) !== noted) return;
    this.returns.delete(token);
    if (ended) return;
    if (this.returns.size >= mostLeft) this.returns.delete(this.returns.keys().next().value!);
    noted.endsMs = this.clock.monotonic() + ttlMs;
    this.returns.set(token, noted);
    if (!this.closed) this.retrying ??= this.retry();
  }

  /** False when the store could not be asked. */
  private attempt(claim: LockClaim): Promise<boolean> {
    return this.store.release(claim).then(done, isRefused);
  }

  /** What the store could not be asked for and that may still be held there, the oldest first. */
  private left(): Return[] {
    const now = this.clock.monotonic();
    const left = [...this.returns.values()].filter(({ endsMs }) => endsMs !== undefined);
    for (const { claim, endsMs } of left) if (endsMs! <= now) this.returns.delete(claim.token);
    return left.filter(({ endsMs }) => endsMs! > now);
  }

  /** One of those that are left tries for all: a store that is away is not asked by each. */
  private async retry(): Promise<void> {
    let pauseMs = firstRetryMs;
    do {
      await this.pause(pauseMs);
      pauseMs = (await this.retryAll(this.left())) ? firstRetryMs : Math.min(longestRetryMs, pauseMs * 2);
    } while (this.left().length > 0 && !this.closed);
    this.retrying = undefined;
  }

  /** False when the store still cannot be asked. */
  private async retryAll([first, ...others]: readonly Return[]): Promise<boolean> {
    if (first && !this.closed && !(await this.retryOne(first))) return false;
    for (let at = 0; at < others.length && !this.closed; at += atATime) {
      await Promise.all(others.slice(at, at + atATime).map((left) => this.retryOne(left)));
    }
    return true;
  }

  private async retryOne(left: Return): Promise<boolean> {
    const { token } = left.claim;
    // Kept meanwhile, it belongs to somebody again.
    if (this.returns.get(token) !== left) return true;
    const ended = await this.attempt(left.claim);
    if (ended && this.returns.get(token) === left) this.returns.delete(token);
    return ended;
  }

  /** Keeps no process alive. */
  private pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = unref(this.clock.setTimeout(() => this.wakeUp?.(), delayMs));
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
