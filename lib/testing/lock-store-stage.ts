import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockGrant,
  type LockHint,
  type LockRefusal,
  type LockStore,
} from '../driver/lock-store.js';
import { type LockStoreHarness } from './lock-store-harness.js';

let stages = 0;
const run = randomBytes(4).toString('hex');

/** Where one case plays: makes stores and claims, waits for hints, and clears everything away. */
export class LockStoreStage {
  private readonly name = `contract:${run}:${++stages}`;
  private readonly stores: LockStore[] = [];
  private readonly heard = new Map<string, LockHint[]>();
  private readonly listeners = new Set<() => void>();

  constructor(readonly harness: LockStoreHarness) {}

  /** The case's own key, or another one of its own. */
  key(more = ''): string {
    return `${this.name}${more}`;
  }

  /** A store that is not connected. */
  async newStore(): Promise<LockStore> {
    const store = await this.harness.createStore();
    store.onReleased((hint) => this.hear(hint));
    this.stores.push(store);
    return store;
  }

  async store(): Promise<LockStore> {
    const store = await this.newStore();
    await store.connect();
    return store;
  }

  /** An exclusive claim to the case's key for 10 s, unless said otherwise. */
  claim(changes: Partial<LockClaim> = {}): LockClaim {
    const token = randomBytes(16).toString('hex');
    return { keys: [this.key()], token, mode: 'exclusive', permits: 0, ttlMs: 10_000, ...changes };
  }

  shared(permits = 0, changes: Partial<LockClaim> = {}): LockClaim {
    return this.claim({ mode: 'shared', permits, ...changes });
  }

  /** Makes the claim and fails unless it is granted. */
  async granted(store: LockStore, claim: LockClaim, options?: LockAcquireOptions): Promise<LockGrant> {
    const answer = await store.acquire(claim, options);
    if (!answer.granted) assert.fail('the claim was refused');
    return answer;
  }

  /** Makes the claim and fails unless it is refused. */
  async refused(store: LockStore, claim: LockClaim, options?: LockAcquireOptions): Promise<LockRefusal> {
    const answer = await store.acquire(claim, options);
    if (answer.granted) assert.fail('the claim was granted');
    assert.ok(answer.retryAfterMs > 0, `retryAfterMs is ${answer.retryAfterMs}`);
    return answer;
  }

  /**
   * Repeats a queued claim as a manager would: on a hint, and when `retryAfterMs` is over. Resolves when it is granted,
   * by an answer or by a hint; fails after the deadline.
   */
  eventually(store: LockStore, claim: LockClaim, options: LockAcquireOptions = {}): Promise<bigint> {
    return this.heeded(this.repeat(store, claim, options));
  }

  /** The promise itself; a case that fails before it awaits it does not end in an unhandled rejection. */
  heeded<Value>(promise: Promise<Value>): Promise<Value> {
    promise.catch(() => undefined);
    return promise;
  }

  /** Resolves when so many claims are queued for the key; fails after the deadline. */
  async queued(store: LockStore, count: number, key = this.key()): Promise<void> {
    const deadline = performance.now() + this.deadlineMs;
    for (;;) {
      const { waiting } = await store.peek(key);
      if (waiting === count) return;
      assert.ok(performance.now() < deadline, `${waiting} are queued instead of ${count}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async repeat(store: LockStore, claim: LockClaim, options: LockAcquireOptions): Promise<bigint> {
    const deadline = performance.now() + this.deadlineMs;
    for (;;) {
      const answer: LockAnswer = await store.acquire(claim, { wait: true, ...options });
      if (answer.granted) return answer.fencingToken;
      const hint = await this.hintFor(claim, answer.retryAfterMs);
      if (hint?.grant) return hint.grant.fencingToken;
      assert.ok(performance.now() < deadline, 'the claim was not granted within the deadline');
    }
  }

  /** The next hint for the claim, or for all; undefined after `timeoutMs`. */
  async hintFor({ token }: LockClaim, timeoutMs = this.deadlineMs): Promise<LockHint | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const hint = this.heard.get(token)?.shift();
      const leftMs = deadline - performance.now();
      if (hint !== undefined || leftMs <= 0) return hint;
      await this.nextHint(leftMs);
    }
  }

  /** What was heard so far for the claim. */
  hintsFor({ token }: LockClaim): readonly LockHint[] {
    return this.heard.get(token) ?? [];
  }

  async elapse(ms: number): Promise<void> {
    if (this.harness.elapse) return this.harness.elapse(ms);
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  async clear(): Promise<void> {
    await Promise.all(this.stores.map((store) => store.close()));
  }

  private get deadlineMs(): number {
    return this.harness.deadlineMs ?? 5_000;
  }

  private hear(hint: LockHint): void {
    const tokens = hint.token === undefined ? [...this.heard.keys()] : [hint.token];
    for (const token of tokens) this.heard.set(token, [...(this.heard.get(token) ?? []), hint]);
    for (const listener of this.listeners) listener();
  }

  private nextHint(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.listeners.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(timeoutMs, 100));
      this.listeners.add(end);
    });
  }
}
