import type { DriverStatus } from '../../../driver/driver-status.js';
import { newMemberName } from '../../../driver/process-identity.js';
import type { RedisConnections } from '../redis-connections.js';
import { isCluster } from '../redis-endpoint.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { type Feature, FeatureRights } from './feature-rights.js';
import {
  ClusterConnection,
  LinkConnection,
  persistFor,
  type StreamCommand,
  type StreamConnection,
} from './stream-connection.js';
import { StreamKeys } from './stream-keys.js';
import type { ResolvedStreamOptions } from './stream-options.js';

/** A blocked connection answers no PING; reading has a watchdog of its own. */
const NO_HEARTBEAT_MS = 2 ** 31 - 1;
/** How much longer than a blocking read a command to a Cluster may take. */
const CLUSTER_SPARE_MS = 1_500;
/** How long a question may take, with the wait for a connection. */
const ASK_MS = 5_000;

/** What the driver gives to its streams. */
export interface StreamsSetup {
  readonly options: ResolvedRedisOptions;
  readonly connections: RedisConnections;
  /** The driver's publishing connection; not used in a Cluster. */
  readonly publishLink: RedisLink;
  readonly prefix: string;
  readonly service: string | undefined;
  readonly maxFrameBytes: number;
  readonly status: (status: DriverStatus) => void;
}

/** What all parts of the streams of one driver share. Each connection is opened when it is first asked for. */
export class StreamContext {
  readonly options: ResolvedStreamOptions;
  /** The options of the whole driver. */
  readonly driver: ResolvedRedisOptions;
  readonly keys: StreamKeys;
  readonly rights = new FeatureRights();
  /** In a Cluster each topic needs commands of its own. */
  readonly clustered: boolean;
  /** The service that this process belongs to. */
  readonly service: string;
  /** Names this process in every group. */
  readonly name: string;
  readonly status: (status: DriverStatus) => void;
  private adminConnection: StreamConnection | undefined;
  private publishConnection: StreamConnection | undefined;

  constructor(readonly setup: StreamsSetup) {
    this.driver = setup.options;
    this.options = setup.options.streams;
    this.keys = new StreamKeys(setup.prefix);
    this.clustered = isCluster(setup.options.endpoint);
    this.service = setup.service ?? 'disco';
    this.name = newMemberName(this.service);
    this.status = setup.status;
  }

  /** For settling, upkeep and questions. */
  get admin(): StreamConnection {
    this.adminConnection ??= this.clustered
      ? this.cluster('admin', this.driver.commandTimeoutMs)
      : this.own('admin');
    return this.adminConnection;
  }

  get publish(): StreamConnection {
    this.publishConnection ??= this.openPublish();
    return this.publishConnection;
  }

  /** A connection for blocking reads; the caller closes it. */
  openReader(): StreamConnection {
    return this.clustered
      ? this.cluster('read', this.options.blockMs + CLUSTER_SPARE_MS)
      : this.own('read', NO_HEARTBEAT_MS);
  }

  /**
   * Runs `command`, once the user is known to have the rights that `feature` needs on these keys. Rejects when Redis
   * refuses, or does not answer within `timeoutMs`.
   */
  ask<Reply>(
    feature: Feature,
    keys: readonly string[],
    command: StreamCommand<Reply>,
    timeoutMs: number = ASK_MS,
  ): Promise<Reply> {
    return persistFor(this.admin, this.rights.before(feature, keys, command), timeoutMs);
  }

  close(): void {
    this.adminConnection?.close();
    this.publishConnection?.close();
  }

  /** WAIT holds its connection up, so a publisher that waits for replicas has one for itself. */
  private openPublish(): StreamConnection {
    const { commandTimeoutMs, heartbeatMs } = this.driver;
    const { replicas, replicasTimeoutMs } = this.options;
    if (this.clustered) return this.cluster('publish', commandTimeoutMs + replicasTimeoutMs);
    if (replicas === 0) return new LinkConnection(this.setup.publishLink);
    return this.own('publish', heartbeatMs + replicasTimeoutMs);
  }

  private own(role: 'admin' | 'read' | 'publish', heartbeatMs?: number): StreamConnection {
    const { connections } = this.setup;
    const link = connections.link(role, {}, heartbeatMs);
    link.start();
    return new LinkConnection(link, () => connections.drop(link));
  }

  private cluster(role: 'admin' | 'read' | 'publish', timeoutMs: number): StreamConnection {
    return new ClusterConnection(this.driver, role, this.setup.service, timeoutMs);
  }
}
