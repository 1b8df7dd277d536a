import type { LockAnswer, LockClaim, LockGrant } from '../driver/lock-store.js';
import { AbortedError, ClosedError } from '../errors/bus.errors.js';
import type { DiscoBusError } from '../errors/disco-bus-error.js';
import { LockNotReplicatedError, LockUnavailableError } from '../errors/lock.errors.js';
import { sleep } from '../timing/clock.js';
import { AnswerInTime } from './answer-in-time.js';
import { type GrantedClaim, Lock, type LockKeeper } from './lock.js';
import type { LockLane } from './lock-lane.js';
import type { ResolvedLockOptions } from './lock-options.js';
import { type Inheritance, LockWaiter } from './lock-waiter.js';
import { asLockError, isPassing } from './store-error.js';

/** What an acquisition came to: a lock, or the store's last word. */
export type AcquisitionOutcome =
  | { readonly lock: Lock }
  | { readonly lock: undefined; readonly waitedMs: number; readonly error?: DiscoBusError };

const firstRetryMs = 25;
const longestRetryMs = 1_000;
/** A cancelled waiter is told when the store has forgotten it, or after this if the store is slow. */
const withdrawalMs = 100;

/** One caller's way to a lock: waits its turn in the process, claims, sleeps until told, and leaves nothing behind. */
export class LockAcquisition {
  private readonly waiter: LockWaiter;
  /** The store may know of the claim. */
  private known: boolean;
  private claims = 0;
  private refused = false;
  private failures = 0;
  private lastError: DiscoBusError | undefined;
  private closed = false;
  /** What was asked of the store last. */
  private sent: Promise<unknown> | undefined;
  /** A grant that came too late is being given back. */
  private returned: Promise<void> | undefined;
  private readonly answers: AnswerInTime;

  constructor(
    private readonly keeper: LockKeeper,
    private readonly claim: LockClaim,
    private readonly options: ResolvedLockOptions,
    private readonly lane: LockLane | undefined,
    /** Monotonic time from which `wait` counts. */
    private readonly startMs: number,
    /** The claim was made before, and what it came to is not known, or not wanted. */
    before?: Promise<void>,
  ) {
    this.known = before !== undefined;
    this.returned = before;
    this.answers = new AnswerInTime(keeper.clock);
    this.waiter = new LockWaiter(claim, keeper.clock, options.minReplicas === 0);
  }

  /** For the store's hints. */
  get hint(): LockWaiter['hint'] {
    return (hint) => this.waiter.hint(hint);
  }

  /** The first claim was granted. */
  get freeAtOnce(): boolean {
    return this.claims === 1 && !this.refused;
  }

  /** Ends the waiting with ClosedError. */
  close(): void {
    this.closed = true;
    this.stop();
  }

  /** Rejects with AbortedError, ClosedError, LockNotReplicatedError, or what the store refuses for good. */
  async run(): Promise<AcquisitionOutcome> {
    const { signal } = this.options;
    if (signal?.aborted) throw new AbortedError(signal.reason);
    signal?.addEventListener('abort', this.stop);
    this.lane?.enter(this.waiter);
    try {
      return (await this.untilGranted()) ?? (await this.giveUp());
    } catch (error) {
      if (this.known) await this.withdraw();
      throw error;
    } finally {
      signal?.removeEventListener('abort', this.stop);
      this.forgo();
      this.lane?.leave(this.waiter);
    }
  }

  private async untilGranted(): Promise<AcquisitionOutcome | undefined> {
    for (let first = true; (first && !this.closed) || this.goesOn(); first = false) {
      const turnMs = this.turnInMs();
      if (turnMs > 0 && this.leftMs() === 0) return undefined;
      const lock = turnMs === 0 ? await this.attempt() : undefined;
      if (lock !== undefined) return { lock };
      if (turnMs > 0) await this.waiter.pause(Math.min(turnMs, this.leftMs()));
    }
    return undefined;
  }

  /** 0: claim now. Otherwise this process holds the lock, or others of it come first: sleep so long, unless woken. */
  private turnInMs(): number {
    if (this.lane === undefined) return 0;
    if (!this.lane.isFirst(this.waiter)) return this.leftMs() || 1;
    const heldMs = this.lane.heldMs();
    return heldMs === 0 ? 0 : Math.ceil(heldMs) + 1;
  }

  /** Claims once, and if refused sleeps until it is worth doing so again. */
  private async attempt(): Promise<Lock | undefined> {
    const given = this.takeGrant();
    if (given !== undefined) return given;
    const inheritance = this.waiter.takeInheritance();
    const sinceMs = this.keeper.clock.monotonic();
    const answer = await this.ask(inheritance);
    if (answer?.granted)
      return this.accept(answer, sinceMs, inheritance !== undefined && answer.succeeded === true);
    const pauseMs = Math.min(answer?.retryAfterMs ?? this.backoffMs(), this.leftMs());
    if (pauseMs > 0 && this.goesOn()) await this.waiter.pause(pauseMs);
    return this.takeGrant();
  }

  /** The store's answer; undefined when it has none, or when the waiting ended before it came. */
  private async ask(inheritance: Inheritance | undefined): Promise<LockAnswer | undefined> {
    this.known = true;
    const answer = this.claimOnce(inheritance);
    this.sent = answer;
    try {
      this.claims++;
      // Who does not wait for the lock waits for the answer, which comes within the store's own time.
      const leftMs = this.options.waitMs === 0 ? Number.POSITIVE_INFINITY : this.leftMs();
      const first = await this.answers.wait(answer, leftMs, this.storeIsLate);
      if (first === undefined) return undefined;
      this.refused ||= !first.granted;
      this.known = first.granted || this.options.waitMs > 0;
      this.lastError = undefined;
      this.failures = 0;
      return first;
    } catch (thrown) {
      const error = asLockError(thrown);
      if (!isPassing(error)) throw error;
      this.lastError = error;
      this.failures++;
      return undefined;
    }
  }

  private async claimOnce(inheritance: Inheritance | undefined): Promise<LockAnswer> {
    const { minReplicas: min, replicaTimeoutMs: timeoutMs } = this.options;
    // The same token claims again: a release that came later would take away what it gets now.
    await this.returned;
    try {
      const answer = await this.keeper.store.acquire(this.claim, {
        wait: this.leftMs() > 0,
        ...(inheritance && { succeeds: inheritance.token }),
        ...(min > 0 && { replicas: { min, timeoutMs } }),
      });
      inheritance?.settle(answer.succeeded === true);
      return answer;
    } catch (error) {
      inheritance?.settle(asLockError(error));
      throw error;
    }
  }

  private async accept(
    { fencingToken, spareTokens = 0, replicas = 0 }: LockGrant,
    sinceMs: number,
    inherited: boolean,
  ): Promise<Lock | undefined> {
    const { minReplicas } = this.options;
    if (replicas < minReplicas) {
      throw new LockNotReplicatedError(this.claim.keys, replicas, minReplicas);
    }
    const { claim } = this;
    return this.toLock({ claim, fencingToken, spareTokens, sinceMs, ttlMs: claim.ttlMs }, inherited);
  }

  /**
   * A lock that a holder of this process passed on, or one that the store pushed. With replicas to wait for, a push says
   * only that a claim will succeed.
   */
  private takeGrant(): Lock | undefined {
    const passed = this.waiter.takePassed();
    if (passed !== undefined) return this.takeOver(passed);
    const pushed = this.waiter.takePushed();
    if (pushed === undefined || this.options.minReplicas > 0) return undefined;
    return this.toLock({ claim: this.claim, ...pushed }, false);
  }

  private takeOver(passed: GrantedClaim): Lock | undefined {
    const lock = this.toLock(passed, true);
    // The place in the queue would otherwise be served with a lock that nobody takes.
    if (lock !== undefined && this.known) void this.keeper.returns.giveBack(this.claim, this.sent);
    if (lock === undefined) void this.keeper.returns.giveBack(passed.claim);
    return lock;
  }

  /** Undefined when its time was over before it could be used, or when nobody wants it any more. */
  private toLock(granted: GrantedClaim, inherited: boolean): Lock | undefined {
    if (this.options.signal?.aborted || this.closed) return undefined;
    const lock = new Lock(this.keeper, this.options, granted);
    if (!lock.isValid()) {
      this.returned = lock.release().catch(() => undefined);
      return undefined;
    }
    this.lane?.hold(lock, inherited);
    return lock;
  }

  private async giveUp(): Promise<AcquisitionOutcome> {
    const { signal } = this.options;
    this.forgo();
    if (this.known) await this.withdraw();
    if (this.closed) throw new ClosedError('The lock manager is closed');
    if (signal?.aborted) throw new AbortedError(signal.reason);
    return { lock: undefined, waitedMs: this.waitedMs(), error: this.lastError };
  }

  /** What others of this process left to it, and it does not want. */
  private forgo(): void {
    this.waiter.takeInheritance()?.settle(undefined);
    const passed = this.waiter.takePassed();
    if (passed !== undefined) void this.keeper.returns.giveBack(passed.claim);
  }

  /** Takes the claim out of the store, behind what was asked last. A slow store does so later: nobody waits for it. */
  private async withdraw(): Promise<void> {
    this.known = false;
    const gone = new AbortController();
    const withdrawn = this.keeper.returns.giveBack(this.claim, this.sent ?? this.returned);
    await Promise.race([
      withdrawn.then(() => gone.abort()),
      sleep(withdrawalMs, this.keeper.clock, gone.signal),
    ]);
  }

  private readonly storeIsLate = (): void => {
    this.lastError = new LockUnavailableError('The lock store did not answer in time');
  };

  private readonly stop = (): void => {
    this.answers.interrupt();
    this.waiter.wake();
  };

  private goesOn(): boolean {
    return this.leftMs() > 0 && !this.closed && !this.options.signal?.aborted;
  }

  private backoffMs(): number {
    return (
      Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.failures - 1, 10)) *
      (0.5 + Math.random() / 2)
    );
  }

  private waitedMs(): number {
    return this.keeper.clock.monotonic() - this.startMs;
  }

  private leftMs(): number {
    return Math.max(0, this.options.waitMs - this.waitedMs());
  }
}
