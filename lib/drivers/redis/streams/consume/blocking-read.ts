import type { Redis } from 'ioredis';
import { replyCode } from '../../redis-error.js';
import type { StreamConnection } from '../stream-connection.js';
import type { ReadWaker } from './read-waker.js';
import type { TopicConsumer } from './topic-consumer.js';

/** An UNBLOCK may overtake the read that it is meant for. */
const UNBLOCK_AGAIN_MS = 5;
/** When the right to was taken away; the next connection finds another way. */
const REFUSED_AGAIN_MS = 1_000;

/** The one read that may be blocked in Redis, and how to end it early. */
export class BlockingRead {
  /** Of the connection that reads. */
  clientId: number | undefined;
  /** Stands in where the user may not UNBLOCK. */
  waker: ReadWaker | undefined;
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
      if (admin === undefined || (this.clientId ?? this.waker) === undefined) return;
      const againMs = await this.attempt(admin);
      if (this.current !== read) return;
      if (againMs === undefined) return over;
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  /** Undefined when it worked, else after how many milliseconds to try again. */
  private async attempt(admin: StreamConnection): Promise<number | undefined> {
    const { clientId, waker } = this;
    try {
      if (waker !== undefined) return void (await waker.wake());
      const done = await admin.run((client) => (client as Redis).client('UNBLOCK', clientId as number));
      return done === 1 ? undefined : UNBLOCK_AGAIN_MS;
    } catch (error) {
      return replyCode((error as Error).cause) === 'NOPERM' ? REFUSED_AGAIN_MS : UNBLOCK_AGAIN_MS;
    }
  }
}
