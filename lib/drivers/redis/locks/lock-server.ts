import type { Cluster, Redis } from 'ioredis';
import { ClosedError, NotConnectedError } from '../../../errors/bus.errors.js';
import { isDiscoBusError } from '../../../errors/disco-bus-error.js';
import { LockUnavailableError } from '../../../errors/lock.errors.js';
import { DeadlineQueue } from '../../../timing/deadline-queue.js';
import { connectCluster } from '../cluster-connect.js';
import { inTurn } from '../cluster-turn.js';
import { createRedisClient, createSingleClient, discardClient, RedisCommands } from '../redis-client.js';
import { isCluster } from '../redis-endpoint.js';
import { replyCode, toDriverError } from '../redis-error.js';
import { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import type { LockCall } from './lock-call.js';
import type { LockKeys } from './lock-keys.js';
import { LockRights, type LockRightsSetup } from './lock-rights.js';
import { inspectLockScript, lockScript, peekScript } from './lock-script.js';

/** Runs scripts over one connection of the role `locks`, or over a Cluster client that finds the node by the first key. */
export class LockServer {
  readonly clustered: boolean;
  private readonly link: RedisLink | undefined;
  /** Of a Cluster, once connected. */
  cluster: Cluster | undefined;
  private connecting: Promise<void> | undefined;
  readonly rights: LockRights;
  private readonly commands: RedisCommands;
  private readonly deadlines: DeadlineQueue;
  private phase: 'new' | 'open' | 'closed' = 'new';

  constructor(
    private readonly options: ResolvedRedisOptions,
    private readonly service: string | undefined,
    used: LockRightsSetup,
    heartbeatMs: number = options.heartbeatMs,
  ) {
    this.rights = new LockRights(used);
    this.clustered = isCluster(options.endpoint);
    this.commands = new RedisCommands(options.commandTimeoutMs);
    this.deadlines = new DeadlineQueue(options.commandTimeoutMs);
    const { connectTimeoutMs, reconnect } = options;
    const make = () => createSingleClient(options, 'locks', { service });
    // Not needed, as a script that is not known is sent in whole: it spares the first operations that way round.
    const prepare = async (client: Redis) => {
      await Promise.all([client.script('LOAD', lockScript).catch(() => undefined), this.rights.look(client)]);
    };
    if (!this.clustered) {
      this.link = new RedisLink({ make, prepare }, { connectTimeoutMs, reconnect, heartbeatMs });
    }
  }

  /** Resolves when scripts can run; may be repeated after it rejected. */
  async connect(): Promise<void> {
    if (this.isClosed) throw closed();
    const { connectTimeoutMs } = this.options;
    this.link?.start();
    if (this.link) await this.link.whenUp(connectTimeoutMs);
    else await this.connectCluster();
    if (this.isClosed) throw closed();
    this.phase = 'open';
  }

  /**
   * The reply to `call`. The script is sent in whole when the server does not know its hash, as after a restart. Rejects
   * with LockUnavailableError, NotConnectedError before `connect`, ClosedError after `close`.
   */
  run(call: LockCall): Promise<string> {
    return new Promise((resolve, reject) => {
      const client = this.client();
      const deadline = this.deadlines.add(() =>
        reject(new LockUnavailableError('Redis did not answer in time')),
      );
      this.send(client, call).then(
        (reply) => {
          deadline.cancel();
          resolve(reply as string);
        },
        (error: unknown) => {
          deadline.cancel();
          if (replyCode(error) !== 'NOSCRIPT') reject(this.toLockError(error));
          else resolve(this.ask((again) => again.eval(...call.whole()) as Promise<string>, call.firstKey));
        },
      );
    });
  }

  /** What is known of one lock, as {@link peekScript} tells it. Rejects as {@link run} does. */
  async peek({ lock, fence, queue }: LockKeys): Promise<unknown> {
    return this.ask((client) => client.eval(peekScript, 3, lock, fence, queue), lock);
  }

  /** One lock and who holds it, as {@link inspectLockScript} tells it. Rejects as {@link run} does. */
  async inspect({ lock, fence, queue }: LockKeys): Promise<unknown> {
    return this.ask((client) => client.eval(inspectLockScript, 3, lock, fence, queue), lock);
  }

  /**
   * What `command` resolves with. Rejects as {@link run} does. A Cluster takes it to the node of `key`; without one to any,
   * and then it must do no harm to send it twice.
   */
  async ask<Reply>(command: (client: Redis | Cluster) => Promise<Reply>, key?: string): Promise<Reply> {
    const client = this.client();
    try {
      return await this.commands.run(this.inTurn(client, () => command(client), key));
    } catch (error) {
      throw this.toLockError(error);
    }
  }

  /** How many replicas have what was written last over this connection, after `timeoutMs` at the latest. */
  async replicas(min: number, timeoutMs: number): Promise<number> {
    return this.ask((client) => client.wait(min, timeoutMs));
  }

  /** Ends the connection at once. Idempotent. */
  close(): void {
    this.phase = 'closed';
    this.link?.close();
    if (this.cluster) discardClient(this.cluster);
    this.cluster = undefined;
  }

  /** Whether commands may be sent. */
  get isOpen(): boolean {
    return this.phase === 'open';
  }

  private get isClosed(): boolean {
    return this.phase === 'closed';
  }

  private client(): Redis | Cluster {
    if (this.phase === 'closed') throw closed();
    if (this.phase === 'new') throw new NotConnectedError('The lock store is not connected');
    const client = this.link ? this.link.client : this.cluster;
    if (client === undefined) throw new LockUnavailableError('There is no connection to Redis at the moment');
    return client;
  }

  private send(client: Redis | Cluster, call: LockCall): Promise<unknown> {
    if (client.isCluster) return this.inTurn(client, () => client.evalsha(...call.byHash()), call.firstKey);
    const command = call.command();
    (client as Redis).sendCommand(command);
    return command.promise;
  }

  private inTurn<Reply>(
    client: Redis | Cluster,
    send: () => Promise<Reply>,
    key: string | undefined,
  ): Promise<Reply> {
    if (!client.isCluster) return send();
    return inTurn(client as Cluster, { send, key, timeoutMs: this.commands.timeoutMs });
  }

  private toLockError(error: unknown): Error {
    if (this.phase === 'closed') return closed();
    if (isDiscoBusError(error, 'DISCO_LOCK_UNAVAILABLE')) return error;
    return new LockUnavailableError('Redis could not be asked for a lock', { cause: toDriverError(error) });
  }

  /** Whoever asks while it connects waits for the same client. */
  private connectCluster(): Promise<void> {
    if (this.cluster !== undefined) return Promise.resolve();
    this.connecting ??= this.openCluster().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  private async openCluster(): Promise<void> {
    const cluster = createRedisClient(this.options, 'locks', { service: this.service }) as Cluster;
    try {
      const commands = new RedisCommands(this.options.connectTimeoutMs);
      await commands.run(connectCluster(cluster));
      await commands.run(this.rights.look(cluster));
      if (this.isClosed) throw closed();
      this.cluster = cluster;
    } catch (error) {
      discardClient(cluster);
      throw error;
    }
  }
}

function closed(): ClosedError {
  return new ClosedError('The lock store is closed');
}
