import type { DriverContext } from '../../driver/driver.js';
import type { DriverStatus } from '../../driver/driver-status.js';
import { ConfigurationError, NotConnectedError } from '../../errors/bus.errors.js';
import { within } from '../../timing/within.js';
import { PubSubEngine } from './pubsub/pubsub-engine.js';
import { RedisCommands } from './redis-client.js';
import { RedisConnections } from './redis-connections.js';
import { isCluster } from './redis-endpoint.js';
import { assertPrefix, type ResolvedRedisOptions } from './redis-options.js';
import { StreamsEngine } from './streams/streams-engine.js';

/** PING answers within this, or the server is as good as gone. */
const PING_TIMEOUT_MS = 5_000;

/** What a driver has from `connect` to `close`: its connections, and an engine for each guarantee. */
export class RedisSession {
  readonly pubsub: PubSubEngine;
  readonly streams: StreamsEngine;
  private readonly connections: RedisConnections;

  constructor(
    private readonly options: ResolvedRedisOptions,
    { prefix = 'disco', service, maxFrameBytes = Number.POSITIVE_INFINITY }: DriverContext,
    private readonly status: (status: DriverStatus) => void,
  ) {
    const chosen = assertPrefix(options.prefix ?? prefix);
    const connections = new RedisConnections(options, service, {
      connected: () => status({ type: 'connected', target: options.target, fallback: options.isFallback }),
      failing: (error) => status({ type: 'error', error }),
      disconnected: (error) => status({ type: 'disconnected', error }),
    });
    const common = { options, connections, prefix: chosen, maxFrameBytes, status };
    this.connections = connections;
    this.pubsub = new PubSubEngine(common);
    const publishLink = this.pubsub.publisher.link;
    this.streams = new StreamsEngine({ ...common, publishLink, service });
  }

  /** Resolves when it can be used; nothing stays open where it rejects. */
  async open(): Promise<void> {
    try {
      await this.connections.up(this.options.connectTimeoutMs);
      await Promise.all([this.pubsub.start(), this.lookAtServer()]);
    } catch (error) {
      this.connections.close();
      throw error;
    }
  }

  async ping(): Promise<void> {
    const { client } = this.pubsub.publisher.link;
    if (client === undefined) throw new NotConnectedError('No connection to Redis');
    const timeoutMs = Math.min(PING_TIMEOUT_MS, this.options.commandTimeoutMs);
    await new RedisCommands(timeoutMs).run(client.ping());
  }

  async close(graceMs: number): Promise<void> {
    const publishesMs = Math.min(graceMs, this.options.commandTimeoutMs);
    await within(graceMs, Promise.all([this.pubsub.close(publishesMs), this.streams.close(publishesMs)]));
    // What is still under way fails with its connection.
    this.streams.abandon();
    this.abandon();
  }

  /** Ends its connections at once, also while it is being opened. */
  abandon(): void {
    this.connections.close();
  }

  /** Refuses a server of another shape, and tells of one that may drop keys. A server that does not say is used as it is. */
  private async lookAtServer(): Promise<void> {
    const { client } = this.pubsub.publisher.link;
    if (client === undefined) return;
    const info = await new RedisCommands(this.options.commandTimeoutMs).run(client.info()).catch(() => '');
    const { endpoint, target } = this.options;
    if (/^cluster_enabled:1/m.test(info) && !isCluster(endpoint)) {
      throw new ConfigurationError(
        `${target} is a node of a Redis Cluster, and was named as a server of its own: say cluster: { nodes: [{ host, port }] }`,
      );
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction' || /^maxmemory:0\s/m.test(info)) return;
    this.status({ type: 'evicts', policy });
  }
}
