import type { Cluster, Redis } from 'ioredis';
import { NotConnectedError } from '../../errors/bus.errors.js';
import { connectCluster } from './cluster-connect.js';
import { createRedisClient, discardClient, type RedisRole } from './redis-client.js';
import type { ResolvedRedisOptions } from './redis-options.js';

/**
 * The nodes of a Redis Cluster, for connections that need just any of them: every node passes on what is published on any.
 * A Cluster client does the finding (DNS, natMap, moved and new nodes) and carries no message itself.
 */
export class ClusterNodes {
  private readonly cluster: Cluster;
  private readonly connecting: Promise<unknown>;
  private readonly avoided = new Map<RedisRole, string>();

  /** Begins to find them. */
  constructor(options: ResolvedRedisOptions, role: RedisRole, service: string | undefined) {
    const connectionName = `disco:${service ?? 'disco'}:nodes`;
    this.cluster = createRedisClient(options, role, { options: { connectionName } }) as Cluster;
    // It goes on trying by itself; whoever needs a node meanwhile is told by `pick`.
    this.connecting = connectCluster(this.cluster).catch(() => undefined);
  }

  /** A client for a node, another one than the last time for this role if there is another. Rejects with NotConnectedError when none is known. */
  async pick(role: RedisRole, make: (node: Redis) => Redis): Promise<Redis> {
    await this.connecting;
    const nodes = this.known();
    if (nodes.length === 0) throw new NotConnectedError('No node of the Redis Cluster answers');
    const others = nodes.filter((node) => nodeName(node) !== this.avoided.get(role));
    const choice = others.length > 0 ? others : nodes;
    const node = choice[Math.floor(Math.random() * choice.length)];
    this.avoided.set(role, nodeName(node));
    return make(node);
  }

  close(): void {
    discardClient(this.cluster);
  }

  private known(): Redis[] {
    const masters = this.cluster.nodes('master');
    return masters.length > 0 ? masters : this.cluster.nodes('all');
  }
}

function nodeName({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}
