import type { RedisConnections } from '../redis-connections.js';
import { isCluster } from '../redis-endpoint.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { TopicNews } from './patterns/topic-news.js';
import { ClusterConnection, LinkConnection, type StreamConnection } from './stream-connection.js';

/** A blocked connection answers no PING; reading has a watchdog of its own. */
const NO_HEARTBEAT_MS = 2 ** 31 - 1;
/** What a command to a Cluster may take longer than a blocking read. */
const CLUSTER_SPARE_MS = 1_500;

/** What {@link StreamConnections} are made of. */
export interface StreamConnectionsSetup {
  readonly options: ResolvedRedisOptions;
  readonly connections: RedisConnections;
  /** The driver's publishing connection; not used in a Cluster. */
  readonly publishLink: RedisLink;
  readonly service: string | undefined;
}

/** Opens the connections of the streams engine, each for one role. */
export class StreamConnections {
  readonly clustered: boolean;
  private adminConnection: StreamConnection | undefined;
  private publishConnection: StreamConnection | undefined;

  constructor(private readonly setup: StreamConnectionsSetup) {
    this.clustered = isCluster(setup.options.endpoint);
  }

  /** For settling, upkeep and questions. */
  get admin(): StreamConnection {
    this.adminConnection ??= this.clustered
      ? this.cluster('admin', this.setup.options.commandTimeoutMs)
      : this.own('admin');
    return this.adminConnection;
  }

  get publish(): StreamConnection {
    this.publishConnection ??= this.openPublish();
    return this.publishConnection;
  }

  /** A connection for blocking reads, for its caller to close. */
  openReader(): StreamConnection {
    const { blockMs } = this.setup.options.streams;
    return this.clustered
      ? this.cluster('read', blockMs + CLUSTER_SPARE_MS)
      : this.own('read', NO_HEARTBEAT_MS);
  }

  /** A connection that listens where topics are announced, for its caller to close. */
  openNews(channel: string, heard: (text: string) => void, up: () => void): TopicNews {
    const { connections, options } = this.setup;
    const { connectTimeoutMs, commandTimeoutMs } = options;
    return new TopicNews({ connections, channel, connectTimeoutMs, commandTimeoutMs, heard, up });
  }

  close(): void {
    this.adminConnection?.close();
    this.publishConnection?.close();
  }

  /** WAIT holds its connection up, so a publisher that waits for replicas has one for itself. */
  private openPublish(): StreamConnection {
    const { options, publishLink } = this.setup;
    const { replicas, replicasTimeoutMs } = options.streams;
    if (this.clustered) return this.cluster('publish', options.commandTimeoutMs + replicasTimeoutMs);
    if (replicas === 0) return new LinkConnection(publishLink);
    return this.own('publish', options.heartbeatMs + replicasTimeoutMs);
  }

  private own(role: 'admin' | 'read' | 'publish', heartbeatMs?: number): StreamConnection {
    const { connections } = this.setup;
    const link = connections.link(role, {}, heartbeatMs);
    link.start();
    return new LinkConnection(link, () => connections.drop(link));
  }

  private cluster(role: 'admin' | 'read' | 'publish', timeoutMs: number): StreamConnection {
    const { options, service } = this.setup;
    return new ClusterConnection(options, role, service, timeoutMs);
  }
}
