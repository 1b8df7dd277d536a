import type { Redis } from 'ioredis';
import type { DiscoBusError } from '../../errors/disco-bus-error.js';
import { ClusterNodes } from './cluster-nodes.js';
import { askedPassword, createSingleClient, endpointOf, type RedisRole } from './redis-client.js';
import { isCluster, type RedisEndpoint } from './redis-endpoint.js';
import { isLastingRefusal } from './redis-error.js';
import { RedisLink, type RedisLinkHooks } from './redis-link.js';
import type { ResolvedRedisOptions } from './redis-options.js';

/** What is told of all links together. */
export interface ConnectionListener {
  /** Every link is up. */
  connected(): void;
  /** A connection could not be made, for another reason than the last time; before the first one, or for a lasting reason. */
  failing(error: DiscoBusError): void;
  /** The first link of those that were all up went down. */
  disconnected(error: DiscoBusError): void;
}

/** All connections of one driver: each has one role, and all of them end together. */
export class RedisConnections {
  private readonly links = new Set<RedisLink>();
  private readonly nodes = new Map<RedisEndpoint, ClusterNodes>();
  private complete = false;
  private wasUp = false;
  /** Why there is no connection, as it was told. */
  private reason: string | undefined;

  constructor(
    private readonly options: ResolvedRedisOptions,
    private readonly service: string | undefined,
    private readonly listener: ConnectionListener,
  ) {}

  /** A link for `role`, not yet started. In a Cluster it leads to one of the nodes. */
  link(
    role: RedisRole,
    hooks: Omit<RedisLinkHooks, 'make'>,
    heartbeatMs: number = this.options.heartbeatMs,
  ): RedisLink {
    const { connectTimeoutMs, reconnect } = this.options;
    const timing = { connectTimeoutMs, reconnect };
    const link: RedisLink = new RedisLink(
      {
        ...hooks,
        make: (failures) => this.make(role, failures),
        up: (client) => {
          hooks.up?.(client);
          this.linkUp();
        },
        failed: (error) => this.linkFailed(error),
        down: (error) => {
          hooks.down?.(error);
          this.linkDown(error);
        },
      },
      { ...timing, heartbeatMs },
    );
    this.links.add(link);
    return link;
  }

  /** Ends one link for good. */
  drop(link: RedisLink): void {
    this.links.delete(link);
    link.close();
    if (this.links.size > 0) this.linkUp();
  }

  /** Starts all links; resolves when every one is up, rejects with the first that is not within `timeoutMs`. */
  async up(timeoutMs: number): Promise<void> {
    for (const link of this.links) link.start();
    await Promise.all(Array.from(this.links, (link) => link.whenUp(timeoutMs)));
  }

  /** Ends every connection at once. Idempotent. */
  close(): void {
    for (const link of this.links) link.close();
    for (const nodes of this.nodes.values()) nodes.close();
    this.links.clear();
    this.nodes.clear();
  }

  private async make(role: RedisRole, failures: number): Promise<Redis> {
    const endpoint = endpointOf(role, this.options);
    const settings = { service: this.service, failures };
    if (!isCluster(endpoint)) return createSingleClient(this.options, role, settings);
    const asked = await askedPassword(endpoint, this.options);
    return this.nodesFor(endpoint, role).pick(role, (node) => this.nodeClient(node, role, asked));
  }

  private nodeClient(node: Redis, role: RedisRole, asked: { password?: string }): Redis {
    const connectionName = `disco:${this.service ?? 'disco'}:${role}`;
    const client = node.duplicate({
      connectionName,
      enableOfflineQueue: false,
      readOnly: false,
      retryStrategy: null,
      ...asked,
    });
    client.on('error', () => undefined);
    return client;
  }

  private nodesFor(endpoint: RedisEndpoint, role: RedisRole): ClusterNodes {
    const found = this.nodes.get(endpoint) ?? new ClusterNodes(this.options, role, this.service);
    this.nodes.set(endpoint, found);
    return found;
  }

  private linkUp(): void {
    for (const link of this.links) if (link.client === undefined) return;
    if (this.complete) return;
    this.complete = true;
    this.wasUp = true;
    this.reason = undefined;
    this.listener.connected();
  }

  private linkFailed(error: DiscoBusError): void {
    if (error.message === this.reason || (this.wasUp && !isLastingRefusal(error.cause))) return;
    this.reason = error.message;
    this.listener.failing(error);
  }

  private linkDown(error: DiscoBusError): void {
    if (!this.complete) return;
    this.complete = false;
    this.listener.disconnected(error);
  }
}
