import type { LockAnswer, LockClaim, LockGrant } from '../driver/lock-store.js';
import { AbortedError, ClosedError } from '../errors/bus.errors.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { LockNotReplicatedError, LockUnavailableError } from '../errors/lock.errors.js';
import { sleep } from '../timing/clock.js';
import { HeldLock } from './held-lock.js';
import type { KeyQueue } from './key-queue.js';
import type { LockDeps } from './lock-deps.js';
import type { ResolvedLockOptions } from './lock-options.js';
import { type GrantedClaim, type LockOffer, LockWaiter, PATIENT_WAIT_MS } from './lock-waiter.js';
import { asLockError, isPassing } from './store-error.js';

const firstRetryMs = 25;
const longestRetryMs = 1_000;
/** A cancelled caller is told when the store has forgotten its claim, or after this if the store is slow. */
const withdrawalMs = 100;
const lateAnswer = 'The lock store did not answer in time';

/**
 * One caller's way to a lock: asks at once if the key seems free; else waits its turn in the process, claims, sleeps until
 * it is woken and claims again. Leaves nothing behind at the store when it gives up.
 */
export class LockAcquisition {
  private readonly queue: KeyQueue | undefined;
  /** For the store's hints. */
  readonly waiter: LockWaiter;
  /** The store may know of the claim. */
  private known = false;
  /** The claim has been made with a place in the store's queue. */
  private placed = false;
  private claims = 0;
  private failures = 0;
  private lastError: DiscoBusError | undefined;
  private closed = false;
  /** Monotonic time before the last claim was sent. */
  private sentMs = 0;
  /** What was asked of the store last. */
  private sent: Promise<LockAnswer> | undefined;
  /** A grant that came too late is being given back. */
  private returned: Promise<void> | undefined;

  constructor(
    private readonly deps: LockDeps,
    private readonly claim: LockClaim,
    private readonly options: ResolvedLockOptions,
    /** Monotonic time from which `wait` counts. */
    private readonly startMs: number,
  ) {
    this.queue = deps.queues.for(claim, options.fair);
    this.waiter = new LockWaiter(claim, deps.clock, options.minReplicas === 0);
  }

  /** Ends the waiting with ClosedError. */
  close(): void {
    this.closed = true;
    this.waiter.stop();
  }

  /**
   * The lock; undefined when others held it until `wait` was over. Rejects with AbortedError, ClosedError,
   * LockNotReplicatedError, or what the store refuses for good or failed with in the end.
   */
  async run(): Promise<HeldLock | undefined> {
    const { signal } = this.options;
    const stop = signal && (() => this.waiter.stop());
    let lock: HeldLock | undefined;
    try {
      if (signal?.aborted) throw new AbortedError(signal.reason);
      signal?.addEventListener('abort', stop!);
      lock = await this.untilGranted();
      if (lock === undefined) await this.giveUp();
      return lock;
    } catch (error) {
      if (this.known) await this.withdraw();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop!);
      this.decline();
      this.queue?.leave(this.waiter);
      if (lock === undefined) this.deps.queues.tidy(this.claim.keys[0]);
    }
  }

  private async untilGranted(): Promise<HeldLock | undefined> {
    const lock = this.asksAtOnce() ? await this.attempt({ queued: false }) : undefined;
    if (lock !== undefined) return lock;
    this.queue?.enter(this.waiter);
    for (let first = true; (first && !this.closed) || this.goesOn(); first = false) {
      const turnMs = this.turnInMs();
      if (turnMs > 0 && this.leftMs() === 0) return undefined;
      const granted = turnMs === 0 ? await this.attempt({ queued: true }) : undefined;
      if (granted !== undefined) return granted;
      if (turnMs > 0) await this.waiter.pause(Math.min(turnMs, this.leftMs()));
    }
    return undefined;
  }

  /** The key seems free, and nothing can end the waiting before the store's own deadline. */
  private asksAtOnce(): boolean {
    const { waitMs, signal, minReplicas } = this.options;
    if (waitMs < PATIENT_WAIT_MS || signal !== undefined || minReplicas > 0) return false;
    return this.queue?.askAtOnce(this.waiter) ?? false;
  }

  /** 0: claim now. Otherwise this process holds the lock, or others of it come first: sleep this long, unless woken. */
  private turnInMs(): number {
    if (this.queue === undefined) return 0;
    if (!this.queue.isFirst(this.waiter)) return this.leftMs() || 1;
    const heldMs = this.queue.heldMs();
    return heldMs === 0 ? 0 : Math.ceil(heldMs) + 1;
  }

  /** Takes what was given, else claims. Queued and refused, it then sleeps until it is worth claiming again. */
  private async attempt({ queued }: { queued: boolean }): Promise<HeldLock | undefined> {
    const given = this.takeGrant();
    if (given !== undefined) return given;
    const offer = this.waiter.takeOffer();
    const answer = await this.ask(queued, offer);
    if (answer && this.claims === 1 && (answer.granted || !queued)) this.queue?.found(answer.granted);
    if (answer?.granted) return this.accept(answer, offer !== undefined && answer.succeeded === true);
    if (!queued) return undefined;
    const pauseMs = Math.min(answer?.retryAfterMs ?? this.backoffMs(), this.leftMs());
    if (pauseMs > 0 && this.goesOn()) await this.waiter.pause(pauseMs);
    return this.takeGrant();
  }

  /** The store's answer; undefined when it has none, or when the waiting ended before it came. */
  private async ask(queued: boolean, offer: LockOffer | undefined): Promise<LockAnswer | undefined> {
    this.known = true;
    this.claims++;
    this.sentMs = this.deps.clock.monotonic();
    const place = queued && this.leftMs() > 0;
    // Who does not wait for the lock waits for the answer, which comes within the store's own time.
    const leftMs = this.options.waitMs === 0 ? Number.POSITIVE_INFINITY : this.leftMs();
    this.placed ||= place;
    try {
      this.sent = this.send(place, offer);
      const answer = await (queued ? this.waiter.answerOf(this.sent, leftMs) : this.sent);
      this.lastError = answer === undefined ? new LockUnavailableError(lateAnswer) : undefined;
      if (answer !== undefined) {
        this.known = answer.granted || this.placed;
        this.failures = 0;
      }
      return answer;
    } catch (thrown) {
      const error = asLockError(thrown);
      if (!isPassing(error)) throw error;
      this.lastError = error;
      this.failures++;
      return undefined;
    }
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

  private accept(
    { fencingToken, spareTokens = 0, replicas = 0 }: LockGrant,
    handedOver: boolean,
  ): HeldLock | undefined {
    const { claim, sentMs: sinceMs } = this;
    const { minReplicas } = this.options;
    if (replicas < minReplicas) throw new LockNotReplicatedError(claim.keys, replicas, minReplicas);
    return this.toLock({ claim, fencingToken, spareTokens, sinceMs, ttlMs: claim.ttlMs }, handedOver);
  }

  /**
   * A lock that a holder of this process passed on, or one that the store pushed. With replicas to wait for, a push says
   * only that a claim will succeed.
   */
  private takeGrant(): HeldLock | undefined {
    const granted = this.waiter.takeGrant();
    if (granted === undefined) return undefined;
    if (granted.claim === this.claim) {
      return this.options.minReplicas > 0 ? undefined : this.toLock(granted, false);
    }
    const lock = this.toLock(granted, true);
    if (lock === undefined) void this.deps.returns.giveBack(granted.claim);
    // The place in the queue would otherwise be served with a lock that nobody takes.
    else if (this.known) void this.deps.returns.giveBack(this.claim, this.sent);
    return lock;
  }

  /** Undefined when its time was over before it could be used, or when nobody wants it any more. */
  private toLock(granted: GrantedClaim, handedOver: boolean): HeldLock | undefined {
    if (this.options.signal?.aborted || this.closed) return undefined;
    const lock = new HeldLock(this.deps, this.options, granted);
    if (!lock.isValid()) {
      this.returned = lock.release().catch(() => undefined);
      return undefined;
    }
    if (this.queue) lock.holdIn(this.queue, handedOver);
    return lock;
  }

  private async giveUp(): Promise<void> {
    this.decline();
    if (this.known) await this.withdraw();
    if (this.closed) throw new ClosedError('The lock manager is closed');
    if (this.options.signal?.aborted) throw new AbortedError(this.options.signal.reason);
    if (this.lastError) throw this.lastError;
  }

  /** Gives back what others of this process left to it, and it does not want. */
  private decline(): void {
    this.waiter.takeOffer()?.settle(undefined);
    const granted = this.waiter.takeGrant();
    if (granted && granted.claim !== this.claim) void this.deps.returns.giveBack(granted.claim);
  }

  /** Takes the claim out of the store, behind what was asked last. A slow store does so later: nobody waits for it. */
  private async withdraw(): Promise<void> {
    this.known = false;
    const gone = new AbortController();
    const withdrawn = this.deps.returns.giveBack(this.claim, this.sent);
    await Promise.race([
      withdrawn.then(() => gone.abort()),
      sleep(withdrawalMs, this.deps.clock, gone.signal),
    ]);
  }

  private goesOn(): boolean {
    return this.leftMs() > 0 && !this.closed && !this.options.signal?.aborted;
  }

  private backoffMs(): number {
    const doubledMs = firstRetryMs * 2 ** Math.min(this.failures - 1, 10);
    return Math.min(longestRetryMs, doubledMs) * (0.5 + Math.random() / 2);
  }

  private leftMs(): number {
    return Math.max(0, this.options.waitMs - (this.deps.clock.monotonic() - this.startMs));
  }
}
