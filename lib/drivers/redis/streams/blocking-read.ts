import type { Redis } from 'ioredis';
import type { StreamConnection } from './stream-connection.js';
import type { TopicConsumer } from './topic-consumer.js';

/** An UNBLOCK may overtake the read that it is meant for. */
const UNBLOCK_AGAIN_MS = 5;

/** The one read that may be blocked in Redis, and how to end it early. */
export class BlockingRead {
  /** Of the connection that reads. */
  clientId: number | undefined;
  private reads = 0;
  /** The number of the read under way, or 0. */
  private current = 0;
  private consumers: ReadonlySet<TopicConsumer> = new Set();
  private unblocking: Promise<void> | undefined;
  private settleUnblocked: () => void = () => undefined;

  /** `admin`: where commands about the reading connection go; undefined where there is no one connection. */
  constructor(private readonly admin: StreamConnection | undefined) {}

  get isUnderWay(): boolean {
    return this.current > 0;
  }

  /** Whether the read under way is for the consumer, too. */
  isFor(consumer: TopicConsumer): boolean {
    return this.consumers.has(consumer);
  }

  /** Awaits `reading`; `ends`: it is to be ended as soon as it can be. */
  async during<Reply>(
    consumers: ReadonlySet<TopicConsumer>,
    reading: Promise<Reply>,
    ends: boolean,
  ): Promise<Reply> {
    this.current = ++this.reads;
    this.consumers = consumers;
    if (ends) void this.unblock();
    try {
      return await reading;
    } finally {
      this.current = 0;
      this.consumers = new Set();
      this.settleUnblocked();
    }
  }

  /** Ends the read under way; resolves when it has ended, by this or otherwise. */
  unblock(): Promise<void> {
    if (!this.isUnderWay) return Promise.resolve();
    this.unblocking ??= this.send(this.current).finally(() => {
      this.unblocking = undefined;
    });
    return this.unblocking;
  }

  private async send(read: number): Promise<void> {
    const { admin } = this;
    const over = new Promise<void>((resolve) => {
      this.settleUnblocked = resolve;
    });
    while (this.current === read) {
      const { clientId } = this;
      if (admin === undefined || clientId === undefined) return;
      const done = await admin.run((client) => (client as Redis).client('UNBLOCK', clientId)).catch(() => 0);
      if (this.current !== read) return;
      if (done === 1) return over;
      await new Promise((resolve) => setTimeout(resolve, UNBLOCK_AGAIN_MS));
    }
  }
}
