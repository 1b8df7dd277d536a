import {
  type ForcedReleaseProvider,
  forcedReleaseOf,
  type LockInspection,
  type LockInspectionProvider,
  type LockPage,
  type LockRange,
  lockInspectionOf,
  offersLockInspection,
} from '../driver/lock-inspection.js';
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
import { chance } from '../timing/chance.js';
import { sleep, systemClock } from '../timing/clock.js';
import { ClaimReturns } from './claim-returns.js';
import { LockQuorum } from './lock-quorum.js';

const fewestStores = 3;
const shortestRetryMs = 20;
const longestRetryMs = 120;
/** A store that did not connect with the others is tried again after this. */
const reconnectMs = 1_000;

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

class RedlockStore implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  readonly name = 'redlock';
  private readonly quorum: LockQuorum;
  private readonly hints = new LockHintListeners();
  /** For each store: what it is to take back, also when it can be asked again. */
  private readonly returns: readonly ClaimReturns[];
  /** The tokens of claims that are under way, and whether they were given up meanwhile. */
  private readonly claiming = new Map<string, { givenUp: boolean }>();
  /** Aborts when the store closes. */
  private readonly closing = new AbortController();

  constructor(private readonly stores: readonly LockStore[]) {
    this.quorum = new LockQuorum(stores);
    this.returns = stores.map((store) => new ClaimReturns(store, systemClock));
  }

  /** Resolves when a majority is connected; the others go on trying until they are, or until `close`. */
  async connect(): Promise<void> {
    const attempts = this.stores.map((store) => store.connect());
    await this.quorum.ask((_, index) => attempts[index]);
    for (const [index, attempt] of attempts.entries()) void this.connectLater(this.stores[index], attempt);
  }

  async acquire(claim: LockClaim, options: LockAcquireOptions = {}): Promise<LockAnswer> {
    if (options.replicas) throw new ConfigurationError('minReplicas and Redlock exclude each other');
    const succeeded =
      options.succeeds === undefined
        ? {}
        : { succeeded: await this.release({ ...claim, token: options.succeeds }) };
    for (const returns of this.returns) returns.keep(claim);
    const state = { givenUp: false };
    this.claiming.set(claim.token, state);
    try {
      const fencingToken = await this.grant(claim, options.minFencingToken ?? 0n, state);
      if (fencingToken !== undefined) return { granted: true, fencingToken, ...succeeded };
    } catch (error) {
      this.withdraw(claim);
      throw error;
    } finally {
      if (this.claiming.get(claim.token) === state) this.claiming.delete(claim.token);
    }
    this.withdraw(claim);
    const retryAfterMs = shortestRetryMs + chance() * (longestRetryMs - shortestRetryMs);
    return { granted: false, retryAfterMs, ...succeeded };
  }

  async extend(claim: LockClaim): Promise<boolean> {
    return this.quorum.agree((store) => store.extend(claim));
  }

  async release(claim: LockClaim): Promise<boolean> {
    const state = this.claiming.get(claim.token);
    if (state) state.givenUp = true;
    // A minority that cannot be asked now is asked again later.
    return this.quorum.agree((_, index) => this.returns[index].release(claim));
  }

  /** What a majority sees; times are those of the shortest majority. */
  peek(key: string): Promise<LockState> {
    return this.seen(
      (store) => store.peek(key),
      ({ holders }) => holders > 0,
      { holders: 0, remainingMs: 0, waiting: 0 },
    );
  }

  introduce(tag: string): void {
    for (const store of this.stores) if (offersLockInspection(store)) store.introduce(tag);
  }

  /** What a majority sees; holders and times are those of the shortest majority. */
  inspect(key: string): Promise<LockInspection> {
    return this.seen(
      async (store) => lockInspectionOf(store).inspect(key),
      ({ holders }) => holders.length > 0,
      { key, holders: [], remainingMs: 0, waiting: 0 },
    );
  }

  /** Looks through one store after the other for what a majority sees as held; a store that cannot be asked is passed over. */
  async list({ match, limit, cursor = '0:' }: LockRange): Promise<LockPage> {
    const [, which, inner] = /^(\d{1,4}):(.*)$/s.exec(cursor) ?? [];
    const at = Number(which);
    if (which === undefined || at >= this.stores.length)
      throw new ConfigurationError('That is no cursor of a list of locks');
    const range = { match, limit, ...(inner !== '' && { cursor: inner }) };
    const page = await lockInspectionOf(this.stores[at]).list(range).catch(passedOver);
    const locks = await Promise.all(page.locks.map(({ key }) => this.newlyFound(key, at)));
    const found = { locks: locks.filter((lock) => lock !== undefined) };
    if (page.cursor !== undefined) return { ...found, cursor: `${at}:${page.cursor}` };
    return at + 1 < this.stores.length ? { ...found, cursor: `${at + 1}:` } : found;
  }

  /** By a majority: the number that it says at the least. A store that could not be asked keeps the lock until its time is over. */
  async forceRelease(key: string): Promise<number> {
    const counts = await this.quorum.ask(
      async (store) => forcedReleaseOf(store).forceRelease(key),
      (known) => known.length === this.stores.length,
    );
    return counts.sort((one, other) => other - one)[this.quorum.majority - 1];
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.hints.clear();
    await Promise.all(this.returns.map((returns) => returns.close()));
    await Promise.all(this.stores.map((store) => store.close()));
  }

  /** The lock as a majority sees it; undefined where it is free, or an earlier store has listed it. */
  /** What the shortest majority sees of a lock that it sees as held, else `free`; with the largest token of all. */
  private async seen<Seen extends Pick<LockState, 'remainingMs' | 'fencingToken'>>(
    look: (store: LockStore) => Promise<Seen>,
    isHeld: (seen: Seen) => boolean,
    free: Omit<Seen, 'fencingToken'>,
  ): Promise<Seen> {
    const { quorum } = this;
    const seen = await quorum.ask(
      look,
      (known) => quorum.isMajority(known, isHeld) || quorum.isMajority(known, (each) => !isHeld(each)),
    );
    const held = seen.filter(isHeld).sort((a, b) => b.remainingMs - a.remainingMs);
    const fencingToken = largestOf(seen.map((each) => each.fencingToken));
    return { ...(held[quorum.majority - 1] ?? (free as Seen)), fencingToken };
  }

  private async newlyFound(key: string, at: number): Promise<LockInspection | undefined> {
    const before = this.stores.slice(0, at).map((store) => store.peek(key).then(isTaken, no));
    if ((await Promise.all(before)).includes(true)) return undefined;
    const lock = await this.inspect(key);
    return lock.holders.length > 0 ? lock : undefined;
  }

  /** The fencing token when a majority granted it and a majority knows the largest of theirs; otherwise undefined. */
  private async grant(
    claim: LockClaim,
    floor: bigint,
    state: { readonly givenUp: boolean },
  ): Promise<bigint | undefined> {
    const tokens = await this.claimOf(claim, floor);
    if (tokens.length < this.quorum.majority || state.givenUp) return undefined;
    const largest = largestOf(tokens);
    if (tokens.filter((token) => token === largest).length >= this.quorum.majority) return largest;
    const again = await this.claimOf(claim, largest);
    return again.length >= this.quorum.majority && !state.givenUp ? largest : undefined;
  }

  /** The fencing tokens of those who granted the claim: enough for a majority, or it is out of reach. */
  private async claimOf(claim: LockClaim, minFencingToken: bigint): Promise<bigint[]> {
    const answers = await this.quorum.ask(
      (store) => store.acquire(claim, { minFencingToken }),
      (known) =>
        this.quorum.isMajority(known, ({ granted }) => granted) ||
        this.quorum.isMajority(known, ({ granted }) => !granted),
    );
    return answers.flatMap((answer) => (answer.granted ? [answer.fencingToken] : []));
  }

  /** What is not reached now is later, or runs out. */
  private withdraw(claim: LockClaim): void {
    for (const returns of this.returns) void returns.giveBack(claim);
  }

  /** A minority may be away when the others connect. */
  private async connectLater(store: LockStore, attempt: Promise<void>): Promise<void> {
    const { signal } = this.closing;
    let connected = await attempt.then(yes, no);
    while (!connected && !signal.aborted) {
      await sleep(reconnectMs, systemClock, signal);
      if (!signal.aborted) connected = await store.connect().then(yes, no);
    }
  }
}

const yes = () => true;
const no = () => false;
const isTaken = ({ holders }: LockState) => holders > 0;

/** What is held by a majority is listed by another store as well. */
function passedOver(error: unknown): LockPage {
  if ((error as { code?: string }).code === 'DISCO_LOCK_UNAVAILABLE') return { locks: [] };
  throw error;
}

function largestOf(tokens: readonly bigint[]): bigint {
  let largest = 0n;
  for (const token of tokens) if (token > largest) largest = token;
  return largest;
}
