import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockHint,
  LockHintListeners,
  type LockState,
  type LockStore,
} from '../driver/lock-store.js';
import { ConfigurationError } from '../errors/bus.errors.js';
import { LockUnavailableError } from '../errors/lock.errors.js';

const fewestStores = 3;
const shortestRetryMs = 20;
const longestRetryMs = 120;

/**
 * One lock store over an odd number of independent ones (Redlock): a lock is held when a majority grants it, and survives
 * the loss of a minority of servers, without replication. Fencing tokens rise: the largest of a majority is written to a
 * majority before the lock counts. Its waiters look again every 20 to 120 ms, in no order.
 *
 * Throws ConfigurationError for an even number, or fewer than three: an even number bears no more failures and can tie.
 */
export function redlockStore(stores: readonly LockStore[]): LockStore {
  if (stores.length % 2 === 0 || stores.length < fewestStores || new Set(stores).size < stores.length) {
    throw new ConfigurationError('redlockStore needs an odd number of different stores, 3 or more');
  }
  return new RedlockStore(stores);
}

class RedlockStore implements LockStore {
  readonly name = 'redlock';
  private readonly majority: number;
  private readonly hints = new LockHintListeners();

  constructor(private readonly stores: readonly LockStore[]) {
    this.majority = (stores.length + 1) / 2;
  }

  /** Resolves when a majority is connected; the others may follow by a repeated call. */
  async connect(): Promise<void> {
    await this.ask((store) => store.connect());
  }

  async acquire(claim: LockClaim, options: LockAcquireOptions = {}): Promise<LockAnswer> {
    if (options.replicas) throw new ConfigurationError('minReplicas and Redlock exclude each other');
    const succeeded =
      options.succeeds === undefined
        ? {}
        : { succeeded: await this.release({ ...claim, token: options.succeeds }) };
    const floor = options.minFencingToken ?? 0n;
    try {
      const fencingToken = await this.grant(claim, floor);
      if (fencingToken !== undefined) return { granted: true, fencingToken, ...succeeded };
    } catch (error) {
      this.withdraw(claim);
      throw error;
    }
    this.withdraw(claim);
    const retryAfterMs = shortestRetryMs + Math.random() * (longestRetryMs - shortestRetryMs);
    return { granted: false, retryAfterMs, ...succeeded };
  }

  async extend(claim: LockClaim): Promise<boolean> {
    return this.agree(await this.ask((store) => store.extend(claim)));
  }

  async release(claim: LockClaim): Promise<boolean> {
    return this.agree(await this.ask((store) => store.release(claim)));
  }

  /** What the store sees that sees most holders; times are those of the shortest majority. */
  async peek(key: string): Promise<LockState> {
    const states = await this.ask((store) => store.peek(key));
    const held = states.filter(({ holders }) => holders > 0).sort((a, b) => b.remainingMs - a.remainingMs);
    const fencingToken = largestOf(states.map((state) => state.fencingToken));
    const decisive = held[this.majority - 1];
    return decisive
      ? { ...decisive, fencingToken }
      : { holders: 0, remainingMs: 0, waiting: 0, fencingToken };
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.hints.clear();
    await Promise.all(this.stores.map((store) => store.close()));
  }

  /** The fencing token when a majority granted it and a majority knows the largest of theirs; otherwise undefined. */
  private async grant(claim: LockClaim, floor: bigint): Promise<bigint | undefined> {
    const answers = await this.ask((store) => store.acquire(claim, { minFencingToken: floor }));
    const tokens = answers.flatMap((answer) => (answer.granted ? [answer.fencingToken] : []));
    if (tokens.length < this.majority) return undefined;
    const largest = largestOf(tokens);
    if (tokens.filter((token) => token === largest).length >= this.majority) return largest;
    const again = await this.ask((store) => store.acquire(claim, { minFencingToken: largest }));
    return again.filter(({ granted }) => granted).length >= this.majority ? largest : undefined;
  }

  /** Best effort: what is not reached runs out. */
  private withdraw(claim: LockClaim): void {
    for (const store of this.stores) void store.release(claim).catch(() => undefined);
  }

  private agree(answers: readonly boolean[]): boolean {
    return answers.filter(Boolean).length >= this.majority;
  }

  /** The answers of those stores that gave one; rejects when they are no majority. */
  private async ask<Answer>(question: (store: LockStore) => Promise<Answer>): Promise<Answer[]> {
    const outcomes = await Promise.allSettled(this.stores.map(question));
    const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    if (answers.length >= this.majority) return answers;
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    throw asMajorityError(failure?.reason, answers.length, this.majority);
  }
}

/** What every store says for its own sake (closed, not connected, bad claim) goes on as it is. */
function asMajorityError(reason: unknown, answered: number, majority: number): Error {
  const { code } = reason as { code?: string };
  const own = ['DISCO_CLOSED', 'DISCO_NOT_CONNECTED', 'DISCO_CONFIGURATION'];
  if (reason instanceof Error && code !== undefined && own.includes(code)) return reason;
  return new LockUnavailableError(`${answered} of ${majority} lock stores needed answered`, {
    cause: reason,
  });
}

function largestOf(tokens: readonly bigint[]): bigint {
  let largest = 0n;
  for (const token of tokens) if (token > largest) largest = token;
  return largest;
}
