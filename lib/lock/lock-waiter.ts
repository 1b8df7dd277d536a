import type { LockClaim, LockHint } from '../driver/lock-store.js';
import type { Clock } from '../timing/clock.js';

/** A claim that was granted, and since when at the latest. */
export interface GrantedClaim {
  readonly claim: LockClaim;
  readonly fencingToken: bigint;
  /** Monotonic time before the claim was sent. */
  readonly sinceMs: number;
  /** What was given; shorter than the claim's ttl after a hand-over, and then made good at once. */
  readonly ttlMs: number;
  /** Fencing tokens for those of this process to whom the lock is passed on. */
  readonly spareTokens: number;
  /** Part of the time was used by others of this process: to be made good as well. */
  readonly used?: boolean;
}

/** A lock of this process that a waiter may take over in one step at the store. */
export interface LockOffer {
  /** The holder's owner token. */
  readonly token: string;
  /** Whether the holder still held it; an error when that could not be found out; undefined when the waiter declines. */
  settle(outcome: boolean | Error | undefined): void;
}

/** Callers that wait at least this long need no timer of their own: the store's own deadline detects a dead store first. */
export const PATIENT_WAIT_MS = 5_000;

/** One caller that waits for a lock: sleeps until something happens, and keeps what it was given until it looks. */
export class LockWaiter {
  private woken = false;
  private resume: (() => void) | undefined;
  private interrupt: (() => void) | undefined;
  private granted: GrantedClaim | undefined;
  private offered: LockOffer | undefined;

  constructor(
    readonly claim: LockClaim,
    private readonly clock: Clock,
    /** Whether a grant of another claim of this process will do. */
    readonly takesOver: boolean,
  ) {}

  /** Resolves after `delayMs`, or once something happened since the last pause. */
  pause(delayMs: number): Promise<void> {
    if (this.woken) {
      this.woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(() => this.resume?.(), Math.ceil(delayMs));
      this.resume = () => {
        this.clock.clearTimeout(timer);
        this.resume = undefined;
        this.woken = false;
        resolve();
      };
    });
  }

  /** The store's `answer`; undefined after `leftMs`, or once stopped. */
  answerOf<Answer>(answer: Promise<Answer>, leftMs: number): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.clock.clearTimeout(timer);
        if (this.interrupt === stop) this.interrupt = undefined;
      };
      const stop = () => {
        end();
        resolve(undefined);
      };
      const patient = leftMs >= PATIENT_WAIT_MS;
      const timer = patient ? undefined : this.clock.setTimeout(stop, Math.ceil(leftMs) || 1);
      this.interrupt = stop;
      void answer.then(resolve, reject).then(end);
    });
  }

  /** Something happened: ends the pause, or the next one. */
  wake(): void {
    this.woken = true;
    this.resume?.();
  }

  /** Ends the pause and the waiting for an answer. */
  readonly stop = (): void => {
    this.interrupt?.();
    this.wake();
  };

  /** The store tells this waiter to act; with a grant, its claim holds the key. */
  hint({ grant }: LockHint): void {
    // A lock that was passed on counts first: its new holder gives the claim back.
    if (grant !== undefined && (this.granted === undefined || this.granted.claim === this.claim)) {
      const { fencingToken, spareTokens = 0, ttlMs, ageMs } = grant;
      const sinceMs = this.clock.monotonic() - ageMs;
      this.granted = { claim: this.claim, fencingToken, spareTokens, ttlMs, sinceMs };
    }
    this.wake();
  }

  /** Gives it a lock of this process, under the owner token of its last holder. */
  pass(granted: GrantedClaim): void {
    this.granted = granted;
    this.wake();
  }

  /** What the store or another holder gave since the last look. */
  takeGrant(): GrantedClaim | undefined {
    const { granted } = this;
    this.granted = undefined;
    return granted;
  }

  /** Offers it the lock that `token` holds. Settles as {@link LockOffer.settle} is told. */
  offer(token: string): Promise<boolean | undefined> {
    return new Promise((resolve, reject) => {
      this.offered = {
        token,
        settle: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
      };
      this.wake();
    });
  }

  /** What was offered since the last look. */
  takeOffer(): LockOffer | undefined {
    const { offered } = this;
    this.offered = undefined;
    return offered;
  }
}
