import type { Redis } from 'ioredis';
import { ClosedError, ConfigurationError, NotConnectedError } from '../../errors/bus.errors.js';
import { type DiscoBusError, isDiscoBusError } from '../../errors/disco-bus-error.js';
import { type Backoff, backoffDelay } from '../../timing/backoff.js';
import { Heartbeat } from './heartbeat.js';
import { discardClient } from './redis-client.js';
import { isLastingRefusal, replyCode, toDriverError } from './redis-error.js';

/** What a {@link RedisLink} does with its connections. */
export interface RedisLinkHooks {
  /** Makes the client for one connection; not yet connected, and never reconnecting by itself. `failures` counts the attempts since the last connection. */
  make(failures: number): Promise<Redis>;
  /** Runs on every new connection before it counts as up; a rejection drops the connection. */
  prepare?(client: Redis): Promise<void>;
  /** The connection is up, everything is prepared. */
  up?(client: Redis): void;
  /** A connection could not be made. */
  failed?(error: DiscoBusError): void;
  /** The connection that was up is gone; a new one is being made. */
  down?(error: DiscoBusError): void;
}

/** The times a link keeps to, in milliseconds. */
export interface RedisLinkTiming {
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly reconnect: Backoff;
}

/** A connection that was up for so long was a good one. */
const SETTLED_MS = 1_000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: DiscoBusError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One connection that is kept up until `close`: lost, refused or silent, it is thrown away and a new client is made,
 * after a growing wait with jitter, for ever. One client serves one connection, so nothing a client remembers
 * (unanswered commands, subscriptions) outlives its connection: what was unanswered is rejected at once.
 */
export class RedisLink {
  /** The client while the link is up, else undefined. */
  client: Redis | undefined;
  /** Counts the connections that came up. */
  epoch = 0;
  /** When the server last showed that it was there, milliseconds since the epoch. */
  lastAliveMs = 0;

  private current: Redis | undefined;
  private failures = 0;
  private attemptStartedMs = 0;
  /** How long connecting took the last time; 0 until it succeeded once. */
  private handshakeMs = 0;
  private lastError: unknown;
  private upMs = 0;
  private timer: NodeJS.Timeout | undefined;
  private started = false;
  private closed = false;
  private readonly waiters = new Set<Waiter>();
  private readonly heartbeat: Heartbeat;

  constructor(
    private readonly hooks: RedisLinkHooks,
    private readonly timing: RedisLinkTiming,
  ) {
    this.heartbeat = new Heartbeat(
      timing.heartbeatMs,
      () => {
        this.lastAliveMs = Date.now();
      },
      () => this.reset(new NotConnectedError('Redis gave no sign of life')),
    );
  }

  /** Begins to connect; later calls do nothing. */
  start(): void {
    if (this.started || this.closed) return;
    this.started = true;
    void this.attempt();
  }

  /**
   * Resolves when the link is up. Rejects with NotConnectedError after `timeoutMs`, at once with DriverError when the
   * server refuses for good (wrong password), and with ClosedError after `close`.
   */
  whenUp(timeoutMs: number): Promise<void> {
    if (this.client !== undefined) return Promise.resolve();
    if (this.closed) return Promise.reject(new ClosedError('The Redis driver is closed'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        reject(this.unreachable(timeoutMs));
      }, timeoutMs);
      const waiter = { resolve, reject, timer };
      this.waiters.add(waiter);
    });
  }

  /** Throws the present connection away and makes a new one. */
  reset(error: DiscoBusError): void {
    if (this.current !== undefined) this.lost(this.current, error);
  }

  /** Ends the link at once. Idempotent; leaves no timer and no socket. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.timer);
    this.heartbeat.stop();
    this.client = undefined;
    if (this.current !== undefined) discardClient(this.current);
    this.current = undefined;
    this.settle((waiter) => waiter.reject(new ClosedError('The Redis driver is closed')));
  }

  private async attempt(): Promise<void> {
    this.attemptStartedMs = performance.now();
    let client: Redis | undefined;
    try {
      client = await this.hooks.make(this.failures);
      if (this.closed) return discardClient(client);
      this.adopt(client);
      await this.connected(client);
      await selectDatabase(client);
      await this.hooks.prepare?.(client);
      if (this.current === client) this.becomeUp(client);
    } catch (error) {
      this.lost(client, error);
    }
  }

  private adopt(client: Redis): void {
    this.current = client;
    this.lastError = undefined;
    client.on('error', (error: unknown) => {
      this.lastError = error;
    });
    client.once('end', () => this.lost(client, this.lastError ?? new Error('Connection is closed.')));
  }

  /**
   * ioredis' own connect timeout ends with the TCP handshake, and without RESP3 and a password nothing has been asked
   * by then: only the answer to a PING shows that there is a server behind the socket.
   */
  private connected(client: Redis): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.handshakeTimeoutMs();
      const timer = setTimeout(
        () => reject(new NotConnectedError('Redis did not answer in time')),
        timeoutMs,
      );
      client
        .connect()
        .then(() => client.ping())
        .then(
          () => resolve(),
          (error: unknown) => reject(toDriverError(this.lastError ?? error)),
        )
        .finally(() => clearTimeout(timer));
    });
  }

  /** Generous at first; then by what the handshake took before, so that a healed link is found soon. */
  private handshakeTimeoutMs(): number {
    if (this.handshakeMs === 0) return this.timing.connectTimeoutMs;
    return Math.min(Math.max(1_000, this.handshakeMs * 8), this.timing.connectTimeoutMs);
  }

  private becomeUp(client: Redis): void {
    if (client.status !== 'ready') throw new NotConnectedError('The connection to Redis was lost');
    this.handshakeMs = performance.now() - this.attemptStartedMs;
    this.upMs = performance.now();
    this.epoch++;
    this.lastAliveMs = Date.now();
    this.client = client;
    this.heartbeat.start(client);
    this.hooks.up?.(client);
    this.settle((waiter) => waiter.resolve());
  }

  private lost(client: Redis | undefined, reason: unknown): void {
    if (this.closed || client !== this.current) return;
    const error = toDriverError(reason);
    const wasUp = this.client !== undefined;
    // A connection that goes at once, as to a server that takes no writes, counts as one more that failed.
    if (wasUp && performance.now() - this.upMs >= SETTLED_MS) this.failures = 0;
    this.heartbeat.stop();
    this.client = undefined;
    this.current = undefined;
    if (client !== undefined) discardClient(client);
    this.lastError = error;
    this.retryLater();
    if (wasUp) this.hooks.down?.(error);
    else this.hooks.failed?.(error);
    if (isLastingRefusal(error.cause) || isDiscoBusError(error, 'DISCO_CONFIGURATION'))
      this.settle((waiter) => waiter.reject(error));
  }

  /** The time that the failed attempt itself took counts as waiting. */
  private retryLater(): void {
    const spentMs = this.failures === 0 ? 0 : performance.now() - this.attemptStartedMs;
    this.failures++;
    const delayMs = backoffDelay(this.timing.reconnect, this.failures);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.attempt(), Math.max(10, delayMs - spentMs));
  }

  private settle(act: (waiter: Waiter) => void): void {
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter);
      clearTimeout(waiter.timer);
      act(waiter);
    }
  }

  private unreachable(timeoutMs: number): DiscoBusError {
    const cause = this.lastError === undefined ? undefined : toDriverError(this.lastError);
    const told = cause ? `: ${cause.message}` : '';
    return new NotConnectedError(`No connection to Redis within ${timeoutMs} ms${told}`, { cause });
  }
}

/**
 * ioredis asks for the database of a connection and goes on in database 0 when the server refuses: here a refusal is a
 * ConfigurationError.
 */
async function selectDatabase(client: Redis): Promise<void> {
  const { db } = client.options;
  if (!db) return;
  try {
    await client.select(db);
  } catch (error) {
    if (replyCode(error) !== 'ERR') throw error;
    throw new ConfigurationError(`Redis refuses the database ${db}: ${(error as Error).message}`, {
      cause: toDriverError(error),
    });
  }
}
