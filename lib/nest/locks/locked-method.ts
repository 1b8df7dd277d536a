import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aString, type OptionKinds, oneOf } from '../../errors/option-kinds.js';
import type { Lock } from '../../lock/lock.js';
import { type LockOptions, lockKinds, resolveLockOptions } from '../../lock/lock-options.js';
import { currentAttempt, keepAttempts } from '../../middleware/attempt-scope.js';
import type { BusEntry, BusRegistry } from '../bus-registry.js';
import { DEFAULT_BUS } from '../disco-bus.tokens.js';
import { assertBusName } from '../module-options.js';
import { whileHeld } from './held-work.js';
import { compileLockKey, type LockKey, type LockKeyMaker } from './lock-key.js';

/** What to do when somebody else holds the lock: wait for it, return undefined without running, or throw at once. */
export type BusyLock = 'wait' | 'skip' | 'throw';

/** How a method with `@WithLock` is locked; what is absent comes from the bus's `lock` options. */
export interface WithLockOptions extends Omit<LockOptions, 'signal'> {
  /**
   * `'wait'`: for as long as `wait`, then LockNotAcquiredError. `'skip'`: return undefined without running; `'throw'`:
   * LockNotAcquiredError; both at once, or after `wait` if that is given. @default 'wait'
   */
  onBusy?: BusyLock;
  /** The name of the bus. @default 'default' */
  bus?: string;
}

const { signal: _, ...methodKinds } = lockKinds;

const withLockKinds: OptionKinds<WithLockOptions> = {
  ...methodKinds,
  onBusy: oneOf('wait', 'skip', 'throw'),
  bus: aString,
};

/** One `@WithLock`: what is to be locked, and how. */
export class LockedMethod {
  private readonly keysFor: LockKeyMaker;
  private readonly onBusy: BusyLock;
  private readonly bus: string;
  private readonly options: LockOptions;

  /** Throws ConfigurationError for what can be told to be wrong beforehand. */
  constructor(key: LockKey, given: WithLockOptions) {
    assertOptions('@WithLock', given, withLockKinds);
    const { onBusy = 'wait', bus = DEFAULT_BUS, ...options } = given;
    this.keysFor = compileLockKey(key);
    if (!['wait', 'skip', 'throw'].includes(onBusy)) {
      throw new ConfigurationError("@WithLock: onBusy must be 'wait', 'skip' or 'throw'");
    }
    resolveLockOptions(options, { ttlMs: 1_000, waitMs: 0 });
    this.onBusy = onBusy;
    this.bus = assertBusName(bus);
    this.options = { autoExtend: true, ...options };
    keepAttempts();
  }

  /** Runs `work` under the lock that `args` lead to, on a bus of `buses`. */
  async run(
    buses: BusRegistry | undefined,
    label: string,
    args: readonly unknown[],
    work: () => unknown,
  ): Promise<unknown> {
    const bus = this.busAmong(buses, label);
    const acquiring = this.whileWanted(args, (signal) => this.acquire(bus, this.keysFor(args), signal));
    // A shutdown ends long waits, but lets an attempt that is over in a moment come to its end.
    const lock = await (this.waits ? acquiring : bus.work.track(acquiring));
    return lock && bus.work.track(whileHeld(lock, work));
  }

  /** The same for an `async *` method: the lock is taken when somebody begins to read, and held until he ends. */
  async *read(
    buses: BusRegistry | undefined,
    label: string,
    args: readonly unknown[],
    work: () => AsyncGenerator<unknown>,
  ): AsyncGenerator<unknown> {
    const held = (await this.run(buses, label, args, work)) as AsyncGenerator<unknown> | undefined;
    return held && (yield* held);
  }

  private async acquire(
    { service: { locks } }: BusEntry,
    keys: string | readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Lock | undefined> {
    const options = signal ? { ...this.options, signal } : this.options;
    if (this.onBusy === 'skip') return (await locks.tryAcquire(keys, options)) ?? undefined;
    if (this.onBusy === 'throw') return locks.acquire(keys, { wait: 0, ...options });
    return locks.acquire(keys, options);
  }

  /**
   * An attempt that is over waits for its lock no more: that of the signal among the arguments, else the one in which the
   * method is called. Once it has the lock, it keeps it.
   */
  private async whileWanted(
    args: readonly unknown[],
    acquire: (signal: AbortSignal | undefined) => Promise<Lock | undefined>,
  ): Promise<Lock | undefined> {
    const given = args.map(signalOf).find((signal) => signal !== undefined);
    const attempt = given ?? currentAttempt()?.signal;
    if (attempt === undefined) return acquire(undefined);
    const waiting = new AbortController();
    const end = () => waiting.abort(attempt.reason);
    if (attempt.aborted) end();
    attempt.addEventListener('abort', end, { once: true });
    try {
      return await acquire(waiting.signal);
    } finally {
      attempt.removeEventListener('abort', end);
    }
  }

  private get waits(): boolean {
    return this.onBusy === 'wait' || this.options.wait !== undefined;
  }

  private busAmong(buses: BusRegistry | undefined, label: string): BusEntry {
    const entry = buses?.get(this.bus);
    if (entry?.service.locks === undefined) {
      throw new ConfigurationError(
        buses === undefined
          ? `${label} has @WithLock, but no DiscoBusModule around it: import DiscoBusModule.forRoot(), and let Nest make the instance`
          : `${label} is locked on the bus "${this.bus}", which the application does not have`,
      );
    }
    if (entry.service.state === 'idle') {
      throw new ConfigurationError(`${label} has @WithLock, but the bus "${this.bus}" is not started`);
    }
    return entry;
  }
}

function signalOf(argument: unknown): AbortSignal | undefined {
  if (typeof argument !== 'object' || argument === null) return undefined;
  const { signal } = argument as { signal?: unknown };
  return signal instanceof AbortSignal ? signal : undefined;
}
