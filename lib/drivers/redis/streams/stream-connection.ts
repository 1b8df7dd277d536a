import type { Cluster, Redis } from 'ioredis';
import { ClosedError, NotConnectedError } from '../../../errors/bus.errors.js';
import { type DiscoBusError, isDiscoBusError } from '../../../errors/disco-bus-error.js';
import { createRedisClient, discardClient, RedisCommands, type RedisRole } from '../redis-client.js';
import { replyCode, toDriverError } from '../redis-error.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';

/** Answers of a server that cannot run the command at the moment. */
const passing = new Set([
  'LOADING',
  'MASTERDOWN',
  'READONLY',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'UNBLOCKED',
  'BUSY',
  // A Cluster client follows these by itself, save in a pipeline.
  'MOVED',
  'ASK',
]);
/** Answers of a Cluster that show that the client's map of it is old. */
const movedOn = new Set(['MOVED', 'CLUSTERDOWN', 'READONLY']);

const PAUSE_MS = 50;
const OUTAGE_MS = 60_000;

/** A client of a server, or of a Cluster. */
export type StreamClient = Redis | Cluster;

/** What is run on a client; run again on another one when the connection is lost. */
export type StreamCommand<Reply> = (client: StreamClient) => Promise<Reply>;

/** A connection that heals by itself, or a Cluster client that finds the node by the key. */
export interface StreamConnection {
  /** Undefined while there is none. */
  readonly client: StreamClient | undefined;
  /** Runs `command` on the client. Rejects with NotConnectedError, DriverError, or ClosedError. */
  run<Reply>(command: StreamCommand<Reply>): Promise<Reply>;
  /** Resolves when trying again makes sense, within `timeoutMs` or a minute; rejects with ClosedError only. */
  ready(timeoutMs?: number): Promise<void>;
  /** Throws the present connection away. */
  reset(error: DiscoBusError): void;
  close(): void;
}

/** Whether the command failed because no server could run it: it may have run all the same, and may succeed later. */
export function isPassing(error: unknown): boolean {
  if (isDiscoBusError(error, 'DISCO_NOT_CONNECTED')) return true;
  return passing.has(replyCode((error as Error)?.cause) ?? '');
}

/** What TIME answers, in milliseconds since the epoch. */
export async function serverTimeMs(client: StreamClient): Promise<number> {
  const [seconds, micros] = await (client as Redis).time();
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}

/** {@link persist} for at most `timeoutMs`; then rejects as the last attempt did. */
export function persistFor<Reply>(
  connection: StreamConnection,
  command: StreamCommand<Reply>,
  timeoutMs: number,
): Promise<Reply> {
  const leftMs = () => sinceMs + timeoutMs - performance.now();
  const sinceMs = performance.now();
  const commands = new RedisCommands(timeoutMs);
  return persist(
    connection,
    (client) => commands.run(command(client)),
    () => leftMs() > 0,
    leftMs,
  );
}

/**
 * Runs `command` until the server answers it; gives up only for refusals and when closed, or when `wanted` says no.
 * `leftMs`: how long to wait for a connection before `wanted` is asked again. @default a minute
 */
export async function persist<Reply>(
  connection: StreamConnection,
  command: StreamCommand<Reply>,
  wanted: () => boolean = () => true,
  leftMs: () => number | undefined = () => undefined,
): Promise<Reply> {
  for (;;) {
    try {
      return await connection.run(command);
    } catch (error) {
      if (!isPassing(error) || !wanted()) throw error;
      if (replyCode((error as Error).cause) === 'READONLY') connection.reset(toDriverError(error));
      await connection.ready(leftMs());
      if (!wanted()) throw error;
    }
  }
}

/** One connection to one server. What is unanswered when it goes is rejected at once; a silent one is found by its heartbeat. */
export class LinkConnection implements StreamConnection {
  private closed = false;

  constructor(
    private readonly link: RedisLink,
    private readonly onClose: () => void = () => undefined,
  ) {}

  get client(): Redis | undefined {
    return this.link.client;
  }

  async run<Reply>(command: (client: Redis) => Promise<Reply>): Promise<Reply> {
    const { client } = this.link;
    if (this.closed) throw closedError();
    if (client === undefined) throw new NotConnectedError('No connection to Redis');
    try {
      return await command(client);
    } catch (error) {
      throw this.closed ? closedError() : toDriverError(error);
    }
  }

  async ready(timeoutMs = OUTAGE_MS): Promise<void> {
    if (this.link.client !== undefined) await pause();
    else await this.link.whenUp(timeoutMs).catch(pause);
    if (this.closed) throw closedError();
  }

  reset(error: DiscoBusError): void {
    this.link.reset(error);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose();
  }
}

/** A client of a Redis Cluster. It has no heartbeat of its own, so every command has a deadline. */
export class ClusterConnection implements StreamConnection {
  readonly client: Cluster;
  private readonly commands: RedisCommands;
  private closed = false;

  constructor(
    options: ResolvedRedisOptions,
    role: RedisRole,
    service: string | undefined,
    timeoutMs: number,
  ) {
    this.client = createRedisClient(options, role, { service }) as Cluster;
    this.commands = new RedisCommands(timeoutMs);
    this.client.connect().catch(() => undefined);
  }

  async run<Reply>(command: (client: Cluster) => Promise<Reply>): Promise<Reply> {
    if (this.closed) throw closedError();
    if (this.client.status !== 'ready') throw new NotConnectedError('No connection to the Redis Cluster');
    try {
      return await this.commands.run(command(this.client));
    } catch (error) {
      if (this.closed) throw closedError();
      const known = toDriverError(error);
      // Unanswered in time: the node may be gone, and another one in its place by the next attempt.
      const told = known.cause === undefined ? new NotConnectedError(known.message) : known;
      this.lookAgain(told);
      throw told;
    }
  }

  async ready(): Promise<void> {
    await pause();
    if (this.closed) throw closedError();
  }

  /** The client looks by itself only every few seconds, and for commands outside pipelines. */
  private lookAgain(error: DiscoBusError): void {
    const code = replyCode(error.cause) ?? '';
    if (isDiscoBusError(error, 'DISCO_NOT_CONNECTED') || movedOn.has(code)) this.client.refreshSlotsCache();
  }

  reset(): void {
    // The client looks for the right nodes by itself.
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    discardClient(this.client);
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

function closedError(): ClosedError {
  return new ClosedError('The Redis driver is closed');
}
