import { randomBytes } from 'node:crypto';
import { RedisConnections } from '../redis-connections.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';

/** A lock, or a part of it, was handed to a claim of this process. */
export interface HandOver {
  readonly token: string;
  readonly fencingToken: bigint;
  readonly ttlMs: number;
  /** The server's clock when it happened, milliseconds since the epoch. */
  readonly serverMs: number;
  /** How many keys the claim is for; only one of them was handed over. */
  readonly keys: number;
}

/** The channel on which one process is told of the locks handed to it. Its connection is opened when first needed. */
export class LockInbox {
  readonly channel: string;
  private readonly connections: RedisConnections;
  private link: RedisLink | undefined;
  private closed = false;

  constructor(
    options: ResolvedRedisOptions,
    prefix: string,
    service: string | undefined,
    private readonly listener: {
      /** The channel is heard again: what was said meanwhile is lost. */
      heard(): void;
      handedOver(news: HandOver): void;
      /** Somebody took the lock that was held by this token. */
      lost(token: string): void;
    },
  ) {
    this.channel = `${prefix}:locks:${randomBytes(16).toString('hex')}`;
    const silent = { connected() {}, failing() {}, disconnected() {} };
    this.connections = new RedisConnections(options, service, silent);
  }

  /** Whether what is said on the channel is heard. */
  get listening(): boolean {
    return this.link?.client !== undefined;
  }

  /** Begins to listen, and resolves when the channel is heard, or after `timeoutMs` in any case. */
  async open(timeoutMs: number): Promise<void> {
    if (this.closed) return;
    this.link ??= this.start();
    await this.link.whenUp(timeoutMs).catch(() => undefined);
  }

  /** Ends the connection. Idempotent. */
  close(): void {
    this.closed = true;
    this.connections.close();
  }

  private start(): RedisLink {
    const link = this.connections.link('locks', {
      prepare: async (client) => {
        client.on('message', (_channel: string, message: string) => this.receive(message));
        await client.subscribe(this.channel);
      },
      up: () => this.listener.heard(),
    });
    link.start();
    return link;
  }

  private receive(message: string): void {
    const lost = /^lost ([0-9a-f]{32})$/.exec(message);
    if (lost) this.listener.lost(lost[1]);
    const match = /^([0-9a-f]{32}) (\d{1,20}) (\d{1,15}) (\d{1,15}) (\d{1,9})$/.exec(message);
    if (match === null) return;
    const [, token, fence, ttl, server, keys] = match;
    this.listener.handedOver({
      token,
      fencingToken: BigInt(fence),
      ttlMs: Number(ttl),
      serverMs: Number(server),
      keys: Number(keys),
    });
  }
}
