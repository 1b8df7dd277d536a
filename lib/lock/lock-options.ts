import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aBoolean, aDuration, aNumber, aSignal, type OptionKinds } from '../errors/option-kinds.js';
import { type Duration, toMilliseconds } from '../timing/duration.js';

/** How one lock is acquired and held. */
export interface LockOptions {
  /**
   * The lock frees itself after this, unless extended: 100 ms to 2³¹−1 ms. One that another holder of this process passed
   * on may begin with up to a tenth of it used, which an extension makes good. @default the manager's, '5m'
   */
  ttl?: Duration;
  /** How long to wait for it; 0 tries once. @default the manager's, '10s'; 0 in `tryAcquire` */
  wait?: Duration;
  /** Ends the waiting with AbortedError. Inside `using`, or with `autoExtend`, it also ends the extension and aborts the lock's own signal. @default none */
  signal?: AbortSignal;
  /**
   * Extends the lock by itself at each third of its ttl, until it is released, lost, or `signal` aborts.
   * @default true inside `using`; false for `acquire` and `tryAcquire`, where a forgotten lock would never become free
   */
  autoExtend?: boolean;
  /**
   * First come, first served across all processes, if all of them ask for it: every waiter queues at the store. Otherwise
   * that holds within a process, and processes take turns of at most 16 grants. @default false
   */
  fair?: boolean;
  /** Replicas that must have the lock before it counts as acquired; fewer in time: LockNotReplicatedError. @default 0 */
  minReplicas?: number;
  /** How long to wait for them. @default '1s' */
  replicaTimeout?: Duration;
  /** Released earlier than this after the grant, the lock stays taken until then, without anyone waiting for it. @default 0 */
  minHold?: Duration;
}

/** What each of {@link LockOptions} may be. */
export const lockKinds: OptionKinds<LockOptions> = {
  ttl: aDuration,
  wait: aDuration,
  signal: aSignal,
  autoExtend: aBoolean,
  fair: aBoolean,
  minReplicas: aNumber,
  replicaTimeout: aDuration,
  minHold: aDuration,
};

/** {@link LockOptions}, checked and complete. */
export interface ResolvedLockOptions {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
  readonly autoExtend: boolean;
  readonly fair: boolean;
  readonly minReplicas: number;
  readonly replicaTimeoutMs: number;
  readonly minHoldMs: number;
}

/** A ttl shorter than this cannot be kept alive over a network. */
export const MIN_LOCK_TTL_MS = 100;

const maxKeyLength = 1_000;

/** Checks and completes `options`; throws ConfigurationError. */
export function resolveLockOptions(
  options: LockOptions,
  defaults: { readonly ttlMs: number; readonly waitMs: number },
): ResolvedLockOptions {
  assertOptions('a lock', options, lockKinds, { path: '' });
  const { ttl, wait, signal, autoExtend = false, fair = false, minReplicas = 0 } = options;
  const { replicaTimeout, minHold } = options;
  if (!Number.isInteger(minReplicas) || minReplicas < 0) {
    throw new ConfigurationError('minReplicas must be a whole number, 0 or more');
  }
  return {
    ttlMs: ttl === undefined ? defaults.ttlMs : toTtlMs(ttl),
    waitMs: wait === undefined ? defaults.waitMs : toMilliseconds(wait, 'wait'),
    signal: signal === undefined ? signal : checkSignal(signal),
    autoExtend,
    fair,
    minReplicas,
    replicaTimeoutMs:
      replicaTimeout === undefined ? 1_000 : toMilliseconds(replicaTimeout, 'replicaTimeout', { minMs: 1 }),
    minHoldMs: minHold === undefined ? 0 : toMilliseconds(minHold, 'minHold'),
  };
}

/** The milliseconds of a lock's ttl; throws ConfigurationError outside its bounds. */
export function toTtlMs(ttl: Duration): number {
  if (typeof ttl === 'number' && !Number.isInteger(ttl)) {
    throw new ConfigurationError('ttl must be whole milliseconds');
  }
  return toMilliseconds(ttl, 'ttl', { minMs: MIN_LOCK_TTL_MS });
}

/** The keys of a lock, each once and sorted; throws ConfigurationError for none or a bad one. */
export function toLockKeys(keys: string | readonly string[]): readonly string[] {
  if (typeof keys === 'string') return [checkKey(keys)];
  if (!Array.isArray(keys) || keys.length === 0) throw new ConfigurationError('A lock needs a key');
  return [...new Set(keys.map(checkKey))].sort();
}

function checkKey(key: unknown): string {
  if (typeof key !== 'string' || key === '') {
    throw new ConfigurationError('The key of a lock must be a string that is not empty');
  }
  if (key.length > maxKeyLength) {
    throw new ConfigurationError(
      `The key of a lock has ${key.length} characters; at most ${maxKeyLength} are allowed`,
    );
  }
  return key;
}

function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new ConfigurationError('signal must be an AbortSignal');
}
