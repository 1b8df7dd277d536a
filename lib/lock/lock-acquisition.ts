import type { LockAnswer, LockClaim } from '../driver/lock-store.js';
import { AbortedError, ClosedError } from '../errors/bus.errors.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { LockNotReplicatedError, LockUnavailableError } from '../errors/lock.errors.js';
import { type Backoff, backoffDelay } from '../timing/backoff.js';
import { HeldLock } from './held-lock.js';
import type { KeyQueue } from './key-queue.js';
import type { LockDeps } from './lock-deps.js';
import type { ResolvedLockOptions } from './lock-options.js';
import { type GrantedClaim, type LockOffer, LockWaiter, PATIENT_WAIT_MS } from './lock-waiter.js';
import { asLockError, isPassing } from './store-error.js';

const backoff: Backoff = { type: 'exponential', delayMs: 25, maxMs: 1_000, jitter: true };

/**
 * One caller's way to a lock, in rounds: each claims in its turn, and sleeps until it is worth claiming again. Where the key
 * seems free, the first round needs no place in any queue. Leaves nothing behind at the store when it gives up.
 */
export class LockAcquisition {
  private readonly queue: KeyQueue | undefined;
  /** Monotonic time from which `wait` counts. */
  private readonly startMs: number;
  /** Made once there is something to wait for. */
  private waiter: LockWaiter | undefined;
  /** The store may know of the claim. */
  private known = false;
  /** The claim has been made with a place in the store's queue. */
  private placed = false;
  private claims = 0;
  private failures = 0;
  private lastError: DiscoBusError | undefined;
  /** Monotonic time before the last claim was sent. */
  private sentMs = 0;
  /** What was asked of the store last. */
  private sent: Promise<LockAnswer> | undefined;
  /** A grant that came too late is being given back. */
  private returned: Promise<void> | undefined;

  constructor(
    private readonly deps: LockDeps,
    readonly claim: LockClaim,
    private readonly options: ResolvedLockOptions,
  ) {
    this.startMs = deps.clock.monotonic();
    this.queue = deps.queues.for(claim, options.fair);
  }

  /**
   * The lock; undefined when others held it until `wait` was over. Rejects with AbortedError, ClosedError,
   * LockNotReplicatedError, or what the store refuses for good or failed with in the end. To be called once.
   */
  async run(): Promise<HeldLock | undefined> {
    const { observer, inFlight, queues } = this.deps;
    const asked = this.asksAtOnce();
    let lock: HeldLock | undefined;
    inFlight.begin();
    try {
      if (!asked) this.join();
      lock = await this.untilGranted();
      if (lock === undefined) this.assertRefused();
      observer.operation('acquire', lock ? 'success' : 'failed');
      if (lock) observer.waited(this.waitedMs() / 1_000);
      return lock;
    } catch (error) {
      observer.operation('acquire', 'error');
      throw error;
    } finally {
      if (lock === undefined) await this.giveUp();
      if (asked) this.queue?.endAsking();
      if (this.waiter) this.leave(this.waiter);
      if (lock === undefined) queues.tidy(this.claim.keys[0]);
      inFlight.end();
    }
  }

  waitedMs(): number {
    return this.deps.clock.monotonic() - this.startMs;
  }

  /** The key seems free, and nothing can end the waiting before the store's own deadline. */
  private asksAtOnce(): boolean {
    const { waitMs, signal, minReplicas } = this.options;
    const plain = waitMs >= PATIENT_WAIT_MS && signal === undefined && minReplicas === 0;
    return plain && this.queue?.beginAsking() === true;
  }

  /** Makes it one of those who wait here. */
  private join(): void {
    const { claim, deps, options } = this;
    if (options.signal?.aborted) throw new AbortedError(options.signal.reason);
    const waiter = new LockWaiter(claim, deps.clock, options.minReplicas === 0);
    options.signal?.addEventListener('abort', waiter.stop);
    deps.waiters.add(waiter);
    this.queue?.enter(waiter);
    this.waiter = waiter;
  }

  private leave(waiter: LockWaiter): void {
    this.options.signal?.removeEventListener('abort', waiter.stop);
    this.decline();
    this.queue?.leave(waiter);
    this.deps.waiters.remove(waiter);
  }

  private async untilGranted(): Promise<HeldLock | undefined> {
    do {
      const given = this.takeGrant();
      if (given !== undefined) return given;
      let pauseMs = this.turnInMs();
      if (pauseMs === 0) {
        const offer = this.waiter?.takeOffer();
        try {
          const answer = await this.ask(offer);
          const lock = this.heard(answer, offer);
          if (lock !== undefined) return lock;
          pauseMs = answer?.granted ? 0 : (answer?.retryAfterMs ?? backoff.delayMs);
        } catch (error) {
          pauseMs = this.backoffAfter(error);
        }
      }
      if (this.waiter === undefined) this.join();
      else if (pauseMs > 0 && this.goesOn()) await this.waiter.pause(Math.min(pauseMs, this.leftMs()));
    } while (this.goesOn());
    return this.takeGrant();
  }

  /** 0: claim now. Otherwise this process holds the lock, or others of it come first: sleep this long, unless woken. */
  private turnInMs(): number {
    if (this.queue === undefined || this.waiter === undefined) return 0;
    if (!this.queue.isFirst(this.waiter)) return this.leftMs() || 1;
    const heldMs = this.queue.heldMs();
    return heldMs === 0 ? 0 : Math.ceil(heldMs) + 1;
  }

  /** Claims. The store's answer; undefined when the waiting ended before it came. */
  private ask(offer: LockOffer | undefined): Promise<LockAnswer | undefined> {
    const { waiter } = this;
    const place = waiter !== undefined && this.leftMs() > 0;
    this.known = true;
    this.placed ||= place;
    this.claims++;
    this.sentMs = this.deps.clock.monotonic();
    this.sent = this.send(place, offer);
    if (waiter === undefined) return this.sent;
    // Who does not wait for the lock waits for the answer, which comes within the store's own time.
    return waiter.answerOf(this.sent, this.options.waitMs === 0 ? Number.POSITIVE_INFINITY : this.leftMs());
  }

  private send(place: boolean, offer: LockOffer | undefined): Promise<LockAnswer> {
    const plain = offer === undefined && this.returned === undefined && this.options.minReplicas === 0;
    return plain ? this.deps.store.acquire(this.claim, { wait: place }) : this.sendWith(place, offer);
  }

  private async sendWith(place: boolean, offer: LockOffer | undefined): Promise<LockAnswer> {
    const { minReplicas: min, replicaTimeoutMs: timeoutMs } = this.options;
    // The same token claims again: a release that came later would take away what it gets now.
    await this.returned;
    try {
      const answer = await this.deps.store.acquire(this.claim, {
        wait: place,
        ...(offer && { succeeds: offer.token }),
        ...(min > 0 && { replicas: { min, timeoutMs } }),
      });
      offer?.settle(answer.succeeded === true);
      return answer;
    } catch (error) {
      offer?.settle(asLockError(error));
      throw error;
    }
  }

  /** Throws what is not worth claiming again for. */
  private backoffAfter(thrown: unknown): number {
    const error = asLockError(thrown);
    if (!isPassing(error)) throw error;
    this.lastError = error;
    return backoffDelay(backoff, ++this.failures);
  }

  private heard(answer: LockAnswer | undefined, offer: LockOffer | undefined): HeldLock | undefined {
    this.lastError = answer ? undefined : new LockUnavailableError('The lock store did not answer in time');
    if (answer === undefined) return undefined;
    this.failures = 0;
    this.known = answer.granted || this.placed;
    if (this.claims === 1 && (answer.granted || this.waiter === undefined)) this.queue?.found(answer.granted);
    if (!answer.granted) return undefined;
    const { claim, sentMs: sinceMs } = this;
    const { fencingToken, spareTokens = 0, replicas = 0, succeeded } = answer;
    const { minReplicas } = this.options;
    if (replicas < minReplicas) throw new LockNotReplicatedError(claim.keys, replicas, minReplicas);
    const granted = { claim, fencingToken, spareTokens, sinceMs, ttlMs: claim.ttlMs };
    return this.toLock(granted, offer !== undefined && succeeded === true);
  }

  /**
   * A lock that a holder of this process passed on, or one that the store pushed. With replicas to wait for, a push says
   * only that a claim will succeed.
   */
  private takeGrant(): HeldLock | undefined {
    const granted = this.waiter?.takeGrant();
    if (granted === undefined) return undefined;
    const own = granted.claim === this.claim;
    if (own) return this.options.minReplicas > 0 ? undefined : this.toLock(granted, false);
    const lock = this.toLock(granted, true);
    if (lock === undefined) void this.deps.returns.giveBack(granted.claim);
    // The place in the queue would otherwise be served with a lock that nobody takes.
    else if (this.known) void this.deps.returns.giveBack(this.claim, this.sent);
    return lock;
  }

  /** Undefined when its time was over before it could be used, or when nobody wants it any more. */
  private toLock(granted: GrantedClaim, handedOver: boolean): HeldLock | undefined {
    if (this.options.signal?.aborted || this.deps.waiters.closed) return undefined;
    const lock = new HeldLock(this.deps, this.options, granted);
    if (!lock.isValid()) {
      this.returned = lock.release().catch(() => undefined);
      return undefined;
    }
    this.queue?.hold(lock.validity, handedOver);
    return lock;
  }

  /** Throws what else than a refusal of the store ended the waiting. */
  private assertRefused(): void {
    if (this.deps.waiters.closed) throw new ClosedError('The lock manager is closed');
    if (this.options.signal?.aborted) throw new AbortedError(this.options.signal.reason);
    if (this.lastError) throw this.lastError;
  }

  private async giveUp(): Promise<void> {
    this.decline();
    if (this.known) await this.deps.returns.withdraw(this.claim, this.sent);
  }

  /** Gives back what others of this process left to it, and it does not want. */
  private decline(): void {
    this.waiter?.takeOffer()?.settle(undefined);
    const granted = this.waiter?.takeGrant();
    if (granted && granted.claim !== this.claim) void this.deps.returns.giveBack(granted.claim);
  }

  private goesOn(): boolean {
    return this.leftMs() > 0 && !this.deps.waiters.closed && !this.options.signal?.aborted;
  }

  private leftMs(): number {
    return Math.max(0, this.options.waitMs - this.waitedMs());
  }
}
