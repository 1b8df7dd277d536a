import { assertOptions } from '../errors/assert-options.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { aClock, aNumber, type OptionKinds } from '../errors/option-kinds.js';
import type { IdempotencyClaim, IdempotencyOutcome, IdempotencyStore } from '../message/idempotency-store.js';
import { type Clock, systemClock } from '../timing/clock.js';

/** What is remembered in memory. */
export interface MemoryIdempotencyOptions {
  /** Messages that are remembered, those that run included; the oldest is forgotten first. @default 10000 */
  size?: number;
  /** @default the computer's clock */
  clock?: Clock;
}

const kinds: OptionKinds<MemoryIdempotencyOptions> = { size: aNumber, clock: aClock };

interface Remembered {
  readonly lease: string;
  readonly untilMs: number;
  /** Where it was handled. */
  readonly outcome?: IdempotencyOutcome;
}

/** Remembers in this process: for tests, and for subscriptions that share what they have seen. Throws ConfigurationError. */
export function memoryIdempotencyStore(options: MemoryIdempotencyOptions = {}): IdempotencyStore {
  assertOptions('memoryIdempotencyStore', options, kinds);
  const { size = 10_000, clock = systemClock } = options;
  if (!Number.isInteger(size) || size < 1)
    throw new ConfigurationError('memoryIdempotencyStore: size must be a whole number above 0');
  return new MemoryIdempotencyStore(size, clock);
}

class MemoryIdempotencyStore implements IdempotencyStore {
  private readonly known = new Map<string, Remembered>();
  private leases = 0;

  constructor(
    private readonly size: number,
    private readonly clock: Clock,
  ) {}

  claim(key: string, leaseMs: number): IdempotencyClaim {
    const now = this.clock.monotonic();
    const known = this.known.get(key);
    if (known !== undefined && known.untilMs > now) {
      const { outcome, untilMs } = known;
      return outcome === undefined
        ? { state: 'running', leftMs: Math.ceil(untilMs - now) }
        : { state: 'done', result: outcome.result };
    }
    const lease = String(++this.leases);
    this.remember(key, { lease, untilMs: now + leaseMs });
    return { state: 'claimed', lease };
  }

  complete(key: string, lease: string, outcome: IdempotencyOutcome): boolean {
    if (this.known.get(key)?.lease !== lease) return false;
    this.remember(key, { lease, untilMs: this.clock.monotonic() + outcome.keepMs, outcome });
    return true;
  }

  abandon(key: string, lease: string): void {
    if (this.known.get(key)?.lease === lease) this.known.delete(key);
  }

  private remember(key: string, value: Remembered): void {
    this.known.delete(key);
    this.known.set(key, value);
    if (this.known.size > this.size) this.known.delete(this.known.keys().next().value as string);
  }
}
