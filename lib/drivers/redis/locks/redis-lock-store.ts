import type { DriverContext } from '../../../driver/driver.js';
import type {
  ForcedReleaseProvider,
  LockInspection,
  LockInspectionProvider,
  LockPage,
  LockRange,
} from '../../../driver/lock-inspection.js';
import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockHint,
  LockHintListeners,
  type LockState,
  type LockStore,
} from '../../../driver/lock-store.js';
import { ClosedError, ConfigurationError } from '../../../errors/bus.errors.js';
import { type RedisDriverOptions, ResolvedRedisOptions } from '../redis-options.js';
import { SPARE_FENCING_TOKENS as spareTokens } from './fencing-step.js';
import { LockBatch } from './lock-batch.js';
import { LockCall, LockCallHeader } from './lock-call.js';
import { type HandOver, LockInbox } from './lock-inbox.js';
import { LockKeyring, type LockKeys } from './lock-keys.js';
import { forceOperation, lockOperation } from './lock-operation.js';
import { LockOversight } from './lock-oversight.js';
import type { LockRightsSetup } from './lock-rights.js';
import { LockServer } from './lock-server.js';

/** How a {@link RedisLockStore} treats its queues. */
export interface RedisLockStoreOptions {
  /** A queued claim is to be repeated at least this often, as news can be lost. Milliseconds. @default 1000 */
  pollMs?: number;
  /** A queued claim that was not repeated for so long loses its place. Milliseconds. @default 5000 */
  waiterTtlMs?: number;
  /**
   * A lock that is handed over is given for no longer than this until its new holder extends it. Milliseconds.
   * @default 10000; 2000 on a cluster, which cannot tell whether a waiter is still there
   */
  handOffMs?: number;
  /** So long after the last grant the fencing counter of a key is kept; afterwards the server's clock alone makes it rise. Milliseconds. @default 7 days */
  fenceTtlMs?: number;
}

/** While the inbox is not heard, waiters look for themselves more often. */
const deafPollMs = 100;
const dayMs = 86_400_000;
/** WAIT holds up its connection, so the heartbeat must leave it time. */
const replicaHeartbeatMs = 60_000;

/** Locks in Redis: constant scripts, many operations to a call, hand-over by a channel of the process. */
export class RedisLockStore implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  readonly name = 'redis';
  private readonly options: ResolvedRedisOptions;
  private readonly service: string | undefined;
  private readonly keyring: LockKeyring;
  private readonly pollMs: number;
  /** For a store that can be told when it is its turn, and for one that cannot. */
  private readonly headers: { readonly heard: LockCallHeader; readonly deaf: LockCallHeader };
  private readonly used: LockRightsSetup;
  private readonly server: LockServer;
  private readonly batch: LockBatch;
  private readonly inbox: LockInbox;
  private readonly oversight: LockOversight;
  private readonly hints = new LockHintListeners();
  /** For each queued claim. */
  private readonly asked = new Map<string, Asked>();
  /** For each claim that is on its way by more than one step: what a release of it must come after. */
  private readonly onTheirWay = new Map<string, ClaimOnItsWay>();
  private replicated: LockServer | undefined;
  private closed = false;

  /** Connects by itself to the main endpoint of `redis`; throws ConfigurationError for bad options. */
  constructor(
    redis: RedisDriverOptions | ResolvedRedisOptions = {},
    context: DriverContext = {},
    tuning: RedisLockStoreOptions = {},
  ) {
    this.options = redis instanceof ResolvedRedisOptions ? redis : new ResolvedRedisOptions(redis);
    this.service = context.service;
    // Bare keys are asked for to meet somebody else's, so a prefix of the driver must not come between.
    const prefix = context.prefix === '' ? '' : (this.options.prefix ?? context.prefix ?? 'disco');
    this.keyring = new LockKeyring(prefix);
    this.inbox = new LockInbox(this.options, prefix, this.service, {
      heard: () => this.hints.emit({}),
      handedOver: (news) => this.hints.emit(this.toHint(news)),
      lost: (token) => this.hints.emit({ token, lost: true }),
    });
    const { lock, fence, queue } = this.keyring.of('{}');
    this.used = { keys: [lock, fence, queue], channel: this.inbox.channel };
    this.server = new LockServer(this.options, this.service, this.used);
    this.oversight = new LockOversight({
      server: this.server,
      prefix,
      keysOf: (name) => this.keyring.of(name),
      service: this.service,
      inbox: this.inbox.channel,
    });
    const { clustered } = this.server;
    const { pollMs = 1_000, waiterTtlMs = 5_000, fenceTtlMs = 7 * dayMs } = tuning;
    const { handOffMs = clustered ? 2_000 : 10_000 } = tuning;
    this.pollMs = pollMs;
    const exact = clustered ? '0' : '1';
    const header = (inbox: string) => {
      const tuned = `${waiterTtlMs} ${handOffMs} ${exact} ${inbox}`;
      return new LockCallHeader([tuned, String(Math.max(fenceTtlMs, waiterTtlMs))]);
    };
    this.headers = { heard: header(this.inbox.channel), deaf: header('-') };
    this.batch = new LockBatch((keys, operations) => {
      return this.server.run(new LockCall(this.header, keys, operations));
    }, clustered);
  }

  async connect(): Promise<void> {
    await this.server.connect();
    this.oversight.write();
  }

  acquire(claim: LockClaim, options: LockAcquireOptions = atOnce): Promise<LockAnswer> {
    if (!options.replicas && (!options.wait || this.hears)) return this.claim(claim, options);
    return this.inSteps(claim, options);
  }

  extend(claim: LockClaim): Promise<boolean> {
    // Who holds for long enough to extend is to hear if somebody takes the lock away.
    if (!this.hears) void this.inbox.open(deafPollMs);
    return this.send(claim, lockOperation('E', claim), isOne);
  }

  release(claim: LockClaim): Promise<boolean> {
    this.asked.delete(claim.token);
    const onItsWay = this.onTheirWay.get(claim.token);
    return onItsWay ? this.releaseAfter(onItsWay, claim) : this.send(claim, lockOperation('r', claim), isOne);
  }

  async peek(key: string): Promise<LockState> {
    const reply = await this.server.peek(this.keyring.of(key));
    const [kind, holders, left, waiting, token] = reply as [string, number, number, number, string];
    return {
      holders,
      ...(holders > 0 && { mode: kind === 'zset' ? 'shared' : 'exclusive' }),
      remainingMs: Math.max(0, left),
      waiting,
      fencingToken: BigInt(token),
    };
  }

  introduce(tag: string): void {
    this.oversight.introduce(tag);
  }

  inspect(key: string): Promise<LockInspection> {
    return this.oversight.inspect(key);
  }

  list(range: LockRange): Promise<LockPage> {
    return this.oversight.list(range);
  }

  async forceRelease(key: string): Promise<number> {
    const call = new LockCall(this.header, [this.keyring.of(key)], [forceOperation]);
    const [, reply] = (await this.server.run(call)).split(' ');
    if (reply === '-') return 0;
    const lost = reply.split(',').filter((token) => token[0] !== '~');
    // It is done: who is not told finds out when it extends or releases.
    await this.oversight.tell(lost).catch(() => undefined);
    return lost.length;
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.oversight.close();
    this.server.close();
    this.replicated?.close();
    this.inbox.close();
    this.hints.clear();
    this.asked.clear();
  }

  /** A claim that takes more than one step, or another connection: known for as long as it does. */
  private async inSteps(claim: LockClaim, options: LockAcquireOptions): Promise<LockAnswer> {
    const onItsWay: ClaimOnItsWay = { givenUp: false, settled: Promise.resolve() };
    const listen = options.wait && !this.hears;
    const answer = listen ? this.claimThenListen(claim, options, onItsWay) : this.claim(claim, options);
    onItsWay.settled = answer.catch(() => undefined);
    this.onTheirWay.set(claim.token, onItsWay);
    try {
      return await answer;
    } finally {
      if (this.onTheirWay.get(claim.token) === onItsWay) this.onTheirWay.delete(claim.token);
    }
  }

  /** Nobody could be told: a lock handed over now would be lost on him. So the place in the queue comes second. */
  private async claimThenListen(
    claim: LockClaim,
    options: LockAcquireOptions,
    onItsWay: ClaimOnItsWay,
  ): Promise<LockAnswer> {
    const { succeeds, ...others } = options;
    const first = await this.claim(claim, { ...options, wait: false });
    if (first.granted || onItsWay.givenUp) return first;
    await this.inbox.open(deafPollMs);
    if (onItsWay.givenUp) return first;
    const second = await this.claim(claim, others);
    return succeeds === undefined ? second : { ...second, succeeded: first.succeeded };
  }

  private get header(): LockCallHeader {
    return this.server.rights.tellsWaiters ? this.headers.heard : this.headers.deaf;
  }

  /** Whether there is nothing to wait for before the place in the queue: news are heard, or there never will be any. */
  private get hears(): boolean {
    return this.inbox.listening || !this.server.rights.tellsWaiters;
  }

  private async releaseAfter(onItsWay: ClaimOnItsWay, claim: LockClaim): Promise<boolean> {
    onItsWay.givenUp = true;
    await onItsWay.settled;
    this.asked.delete(claim.token);
    return this.send(claim, lockOperation('r', claim), isOne);
  }

  private claim(claim: LockClaim, options: LockAcquireOptions): Promise<LockAnswer> {
    const { wait = false, succeeds = '', minFencingToken, replicas } = options;
    const kind = wait ? (this.asked.has(claim.token) ? 'A' : 'a') : 't';
    const operation = lockOperation(kind, claim, minFencingToken, succeeds);
    if (replicas) return this.acquireReplicated(claim, operation, wait, replicas);
    const sinceMs = wait ? performance.now() : 0;
    return this.send(claim, operation, (reply, serverMs) => {
      return this.toAnswer(reply, claim, options, { serverMs, sinceMs });
    });
  }

  private send<Answer>(
    claim: LockClaim,
    operation: string,
    read: (reply: string, serverMs: number) => Answer,
  ): Promise<Answer> {
    return new Promise((resolve, failed) => {
      const answered = (reply: string, serverMs: number) => resolve(read(reply, serverMs));
      this.batch.add({ keys: this.keysOf(claim), operation, answered, failed });
    });
  }

  private keysOf({ keys }: LockClaim): readonly LockKeys[] {
    const all = keys.length === 1 ? this.keyring.one(keys[0]) : keys.map((key) => this.keyring.of(key));
    if (this.server.clustered && all.some(({ scattered }) => scattered)) {
      throw new ConfigurationError(
        'On a Redis Cluster the key of a lock without prefix may close a brace only as a hash tag',
      );
    }
    if (this.server.clustered && all.some(({ slot }) => slot !== all[0].slot)) {
      throw new ConfigurationError(
        "On a Redis Cluster the keys of one lock must share a hash tag, as '{order:1}:a' and '{order:1}:b'",
      );
    }
    return all;
  }

  private toAnswer(
    reply: string,
    { token }: LockClaim,
    { wait = false, succeeds }: LockAcquireOptions,
    asked: Asked,
  ): LockAnswer {
    const succeeded = reply[0] === 'G';
    if (succeeded || reply[0] !== 'b') {
      this.asked.delete(token);
      const fencingToken = BigInt(succeeded ? reply.slice(1) : reply);
      const grant = { granted: true, fencingToken, spareTokens } as const;
      return succeeds === undefined ? grant : { ...grant, succeeded };
    }
    if (wait && !this.closed) this.asked.set(token, asked);
    const leftMs = Number(reply.slice(1));
    const pollMs = wait && !this.inbox.listening ? deafPollMs : this.pollMs;
    const retryAfterMs = leftMs < 0 ? pollMs : Math.min(pollMs, leftMs + 1);
    return { granted: false, retryAfterMs, ...(succeeds !== undefined && { succeeded }) };
  }

  /** Over a connection of its own, as WAIT is about, and holds up, its own connection. */
  private async acquireReplicated(
    claim: LockClaim,
    operation: string,
    wait: boolean,
    { min, timeoutMs }: { min: number; timeoutMs: number },
  ): Promise<LockAnswer> {
    if (this.server.clustered)
      throw new ConfigurationError('minReplicas is not available on a Redis Cluster');
    if (this.closed) throw new ClosedError('The lock store is closed');
    const sinceMs = performance.now();
    this.replicated ??= new LockServer(this.options, this.service, this.used, replicaHeartbeatMs);
    await this.replicated.connect();
    const call = new LockCall(this.header, this.keysOf(claim), [operation]);
    const [serverMs, reply] = (await this.replicated.run(call)).split(' ');
    const answer = this.toAnswer(reply, claim, { wait }, { serverMs: Number(serverMs), sinceMs });
    if (!answer.granted) return answer;
    return { ...answer, replicas: await this.replicated.replicas(min, timeoutMs) };
  }

  /**
   * When the grant was made is known by the server's clock alone. As the claim was refused at a known time of that clock,
   * and asked at a known time of ours before, the difference of the server's two times bounds the age from above.
   */
  private toHint({ token, fencingToken, ttlMs, serverMs, keys }: HandOver): LockHint {
    const asked = this.asked.get(token);
    // Refused after that: what was handed over then has been lost since.
    const outdated = asked === undefined || serverMs < asked.serverMs;
    if (outdated || keys > 1) return { token };
    const sinceMs = asked.sinceMs + Math.max(0, serverMs - asked.serverMs - 1);
    return {
      token,
      grant: { fencingToken, spareTokens, ttlMs, ageMs: Math.max(0, performance.now() - sinceMs) },
    };
  }
}

/** When a claim was refused: by the server's clock, and by this process's before it asked. */
interface Asked {
  readonly serverMs: number;
  readonly sinceMs: number;
}

/** A claim that is made in steps. */
interface ClaimOnItsWay {
  /** No further step is wanted. */
  givenUp: boolean;
  /** Resolves when the claim is answered, or cannot be. */
  settled: Promise<unknown>;
}

const atOnce: LockAcquireOptions = {};

function isOne(reply: string): boolean {
  return reply === '1';
}
