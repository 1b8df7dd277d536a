import type { LockClaim, LockHint } from '../driver/lock-store.js';
import type { Clock } from '../timing/clock.js';
import type { GrantedClaim } from './lock.js';

/** A grant that was pushed, and since when it counts at the latest. */
export interface PushedGrant {
  readonly fencingToken: bigint;
  readonly spareTokens: number;
  readonly ttlMs: number;
  readonly sinceMs: number;
}

/** A lock of this process that is to be passed on. */
export interface Inheritance {
  readonly token: string;
  /** Whether its holder still held it; an error when that could not be found out; undefined when the heir does not want it. */
  settle(outcome: boolean | Error | undefined): void;
}

/** Somebody who waits for a lock: sleeps until something happens, and remembers what came while it was awake. */
export class LockWaiter {
  private woken = false;
  private resume: (() => void) | undefined;
  private pushed: PushedGrant | undefined;
  private inheritance: Inheritance | undefined;
  private passed: GrantedClaim | undefined;

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

  /** Something happened: look again. */
  readonly wake = (): void => {
    this.woken = true;
    this.resume?.();
  };

  /** The store has told this waiter to act. */
  hint({ grant }: LockHint): void {
    if (grant !== undefined) {
      const { fencingToken, spareTokens = 0, ttlMs, ageMs } = grant;
      this.pushed = { fencingToken, spareTokens, ttlMs, sinceMs: this.clock.monotonic() - ageMs };
    }
    this.wake();
  }

  /** What was pushed since the last look. */
  takePushed(): PushedGrant | undefined {
    const { pushed } = this;
    this.pushed = undefined;
    return pushed;
  }

  /** Passes it a lock of this process, which is its own from now on. */
  pass(granted: GrantedClaim): void {
    this.passed = granted;
    this.wake();
  }

  /** What was passed to it since the last look. */
  takePassed(): GrantedClaim | undefined {
    const { passed } = this;
    this.passed = undefined;
    return passed;
  }

  /** Leaves it a lock of this process, if the store agrees. */
  bequeath(inheritance: Inheritance): void {
    this.inheritance = inheritance;
    this.wake();
  }

  /** What was left to it since the last look. */
  takeInheritance(): Inheritance | undefined {
    const { inheritance } = this;
    this.inheritance = undefined;
    return inheritance;
  }
}
