import type { Redis } from 'ioredis';
import { RedisCommands } from '../../redis-client.js';
import type { RedisConnections } from '../../redis-connections.js';
import type { RedisLink } from '../../redis-link.js';

/** What a {@link TopicNews} works with. */
export interface TopicNewsSetup {
  readonly connections: RedisConnections;
  readonly channel: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  heard(text: string): void;
  /** The channel is listened to again; what was told in between is missed. */
  up(): void;
}

/** A connection that listens where topics are announced. */
export class TopicNews {
  private readonly link: RedisLink;

  constructor(private readonly setup: TopicNewsSetup) {
    const commands = new RedisCommands(setup.commandTimeoutMs);
    this.link = setup.connections.link('subscribe', {
      prepare: async (client: Redis) => {
        client.on('message', (_channel: string, text: string) => setup.heard(text));
        await commands.run(client.subscribe(setup.channel));
      },
      up: () => setup.up(),
    });
    this.link.start();
  }

  /** Resolves when it listens; rejects when it does not within the time to connect. */
  ready(): Promise<void> {
    return this.link.whenUp(this.setup.connectTimeoutMs);
  }

  close(): void {
    this.setup.connections.drop(this.link);
  }
}
