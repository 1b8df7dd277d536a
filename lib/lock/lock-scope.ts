import { ConfigurationError } from '../errors/bus.errors.js';
import { LockLostError } from '../errors/lock.errors.js';
import type { Tracing } from '../tracing/tracing.js';
import { giveBackLater } from './held-lock.js';
import type { Lock } from './lock.js';
import type { LockOptions } from './lock-options.js';
import { held } from './traced-lock.js';

/** Work that is done under a lock. Its result is the result of `using`. */
export type LockedWork<Result> = (lock: Lock, signal: AbortSignal) => Result | Promise<Result>;

/** How a scope asks its manager. */
export interface ScopeClaims {
  acquire(options?: LockOptions): Promise<Lock>;
  tryAcquire(options?: LockOptions): Promise<Lock | null>;
  readonly tracing: Tracing | undefined;
}

/** The three ways to take a lock of which the key is settled. */
export class LockScope {
  /** @internal */
  constructor(private readonly claims: ScopeClaims) {}

  /**
   * Waits for the lock, which is given back by its `release`. Rejects with LockNotAcquiredError when `wait` is over,
   * AbortedError when `signal` fires, LockUnavailableError when the store could not be asked, ConfigurationError for bad
   * options.
   */
  acquire(options?: LockOptions): Promise<Lock> {
    return this.claims.acquire(options);
  }

  /** The lock if it is free now, else null. `wait` may be given. Rejects only when the store could not be asked. */
  tryAcquire(options?: LockOptions): Promise<Lock | null> {
    return this.claims.tryAcquire(options);
  }

  /** Holds the lock while `work` runs: see {@link LockManager.using}. */
  using<Result>(work: LockedWork<Result>): Promise<Result>;
  using<Result>(options: LockOptions, work: LockedWork<Result>): Promise<Result>;
  async using<Result>(first: LockOptions | LockedWork<Result>, second?: LockedWork<Result>): Promise<Result> {
    const [options, work] = workLast(first, second);
    return holding(this.acquire({ autoExtend: true, ...options }), work, this.claims.tracing);
  }
}

/**
 * Lets `permits` holders in at once, over all processes that use the same name and number. First come, first served.
 * An exclusive lock of the same name and its permits exclude each other.
 */
export class Semaphore extends LockScope {
  readonly name: string;
  readonly permits: number;

  /** @internal */
  constructor(name: string, permits: number, claims: ScopeClaims) {
    super(claims);
    this.name = name;
    this.permits = permits;
  }
}

/**
 * Many readers or one writer, over all processes. Whoever comes later waits behind whoever waits, so that readers do not
 * starve a writer. The writer's lock is the exclusive lock of the same name.
 */
export class ReadWriteLock {
  constructor(
    readonly name: string,
    /** Shared with other readers. */
    readonly read: LockScope,
    /** Alone. */
    readonly write: LockScope,
  ) {}
}

/** What `using` was given: options, if any, and the work behind them. Throws ConfigurationError for anything else. */
export function workLast<Result>(
  first: LockOptions | LockedWork<Result>,
  second: LockedWork<Result> | undefined,
): [LockOptions, LockedWork<Result>] {
  if (typeof first === 'function' && second === undefined) return [{}, first];
  if (typeof first !== 'function' && typeof second === 'function') return [first, second];
  throw new ConfigurationError('using takes its work last, behind the options if there are any');
}

/**
 * Runs `work` under the lock and releases it in the end, whatever happens. An error of the work is thrown as it is. When
 * the work succeeded but the lock was lost meanwhile, rejects with LockLostError; when only the release failed for want
 * of an answer, the work's result stands, and the lock is given back once the store answers again.
 */
export async function holding<Result>(
  acquired: Promise<Lock>,
  work: LockedWork<Result>,
  tracing?: Tracing,
): Promise<Result> {
  const lock = await acquired;
  return tracing ? held(tracing, lock.keys, () => workUnder(lock, work)) : workUnder(lock, work);
}

async function workUnder<Result>(lock: Lock, work: LockedWork<Result>): Promise<Result> {
  let result: Result;
  try {
    result = await work(lock, lock.signal);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  await lock.release().catch((error: unknown) => {
    if (error instanceof LockLostError) throw error;
    giveBackLater(lock, error);
  });
  return result;
}
