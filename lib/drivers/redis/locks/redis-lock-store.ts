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
import { type Asked, ClaimTimes } from './claim-times.js';
import { type ClaimOnItsWay, ClaimsOnTheirWay } from './claims-on-their-way.js';
import { SPARE_FENCING_TOKENS as spareTokens } from './fencing-step.js';
import { LockBatch } from './lock-batch.js';
import { LockCall, type LockCallHeader } from './lock-call.js';
import { LockInbox } from './lock-inbox.js';
import { LockKeyring, type LockKeys } from './lock-keys.js';
import { lockOperation } from './lock-operation.js';
import { LockOversight } from './lock-oversight.js';
import type { LockRightsSetup } from './lock-rights.js';
import { LockServer } from './lock-server.js';
import { LockTuning, type RedisLockStoreOptions } from './lock-tuning.js';

/** While the inbox is not heard, waiters look for themselves more often. */
const deafPollMs = 100;
/** WAIT holds up its connection, so the heartbeat must leave it time. */
const replicaHeartbeatMs = 60_000;

/** Locks in Redis: constant scripts, many operations to a call, hand-over by a channel of the process. */
export class RedisLockStore implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  readonly name = 'redis';
  private readonly options: ResolvedRedisOptions;
  private readonly service: string | undefined;
  private readonly keyring: LockKeyring;
  private readonly tuning: LockTuning;
  private readonly used: LockRightsSetup;
  private readonly server: LockServer;
  private readonly batch: LockBatch;
  private readonly inbox: LockInbox;
  private readonly oversight: LockOversight;
  private readonly hints = new LockHintListeners();
  /** For each queued claim. */
  private readonly asked = new ClaimTimes();
  private readonly onTheirWay = new ClaimsOnTheirWay();
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
      handedOver: (news) => this.hints.emit(this.asked.hintOf(news)),
      lost: (token) => this.hints.emit({ token, lost: true }),
    });
    const { lock, fence, queue } = this.keyring.of('{}');
    this.used = { keys: [lock, fence, queue], channel: this.inbox.channel };
    this.server = new LockServer(this.options, this.service, this.used);
    this.oversight = new LockOversight({
      server: this.server,
      prefix,
      keysOf: (name) => this.keyring.all([name], this.server.clustered)[0],
      service: this.service,
      inbox: this.inbox.channel,
      header: () => this.header,
    });
    const { clustered } = this.server;
    this.tuning = new LockTuning(tuning, clustered, this.inbox.channel);
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
    const onItsWay = this.onTheirWay.of(claim.token);
    return onItsWay ? this.releaseAfter(onItsWay, claim) : this.send(claim, lockOperation('r', claim), isOne);
  }

  peek(key: string): Promise<LockState> {
    return this.oversight.peek(key);
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

  forceRelease(key: string): Promise<number> {
    return this.oversight.forceRelease(key);
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

  /** A claim that takes more than one step, or another connection. */
  private inSteps(claim: LockClaim, options: LockAcquireOptions): Promise<LockAnswer> {
    const listen = options.wait && !this.hears;
    return this.onTheirWay.track(claim.token, (onItsWay) =>
      listen ? this.claimThenListen(claim, options, onItsWay) : this.claim(claim, options),
    );
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
    return this.server.rights.tellsWaiters ? this.tuning.heard : this.tuning.deaf;
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
    return this.keyring.all(keys, this.server.clustered);
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
    const pollMs = wait && !this.inbox.listening ? deafPollMs : this.tuning.pollMs;
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
}

const atOnce: LockAcquireOptions = {};

function isOne(reply: string): boolean {
  return reply === '1';
}
