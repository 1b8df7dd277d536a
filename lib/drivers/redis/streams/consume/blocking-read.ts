import type { Redis } from 'ioredis';
import { replyCode } from '../../redis-error.js';
import { isNotAllowed } from '../../rights/missing-rights.js';
import { openWakeScript, wakeScript } from '../scripts/settle-scripts.js';
import type { StreamConnection } from '../stream-connection.js';
import { StreamScript } from '../stream-script.js';
import type { TopicConsumer } from './topic-consumer.js';

/** An UNBLOCK may overtake the read that it is meant for. */
const UNBLOCK_AGAIN_MS = 5;
/** After the right to UNBLOCK was taken away; the next connection uses a waker. */
const REFUSED_AGAIN_MS = 1_000;

/** The one read that may be blocked in Redis; it can be ended early. */
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

  /** Ends the read under way; resolves when it has ended for any reason. */
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

/** The stream of a reader that was silent for this long expires. */
const LIFE_MS = 600_000;

const open = new StreamScript(openWakeScript);
const wake = new StreamScript(wakeScript);

/**
 * Ends the blocking reads of a user without CLIENT UNBLOCK: a stream of the reader's own is read together with the topics',
 * and gets an entry when a read is to end.
 */
export class ReadWaker {
  private openedMs = Number.NEGATIVE_INFINITY;

  /** `connection`: another one than that which reads. */
  constructor(
    readonly key: string,
    private readonly group: string,
    private readonly connection: StreamConnection,
  ) {}

  /** Makes the stream, and keeps it. To be awaited before each read. */
  async ready(): Promise<void> {
    if (performance.now() - this.openedMs < LIFE_MS / 4) return;
    await this.connection.run((client) => open.run(client, [this.key], [this.group, LIFE_MS]));
    this.openedMs = performance.now();
  }

  /** The stream may be gone, as after the server was flushed. */
  doubt(): void {
    this.openedMs = Number.NEGATIVE_INFINITY;
  }

  /** The read under way ends, or the next one at once. */
  async wake(): Promise<void> {
    await this.connection.run((client) => wake.run(client, [this.key], [LIFE_MS]));
  }

  /** A read has brought these entries. */
  seen(ids: readonly string[]): void {
    this.connection.run((client) => client.xack(this.key, this.group, ...ids)).catch(() => undefined);
  }

  /** Leaves nothing behind. */
  async forget(): Promise<void> {
    await this.connection.run((client) => client.pexpire(this.key, 0)).catch(() => undefined);
  }
}

/** The number by which the reads of a connection can be ended from another one; undefined where the user may not. */
export async function findClientId(client: Redis): Promise<number | undefined> {
  try {
    const id = Number(await client.client('ID'));
    // It does not block now, so this only asks whether the right is there.
    await client.client('UNBLOCK', id);
    return id;
  } catch (error) {
    if (isNotAllowed(error)) return undefined;
    throw error;
  }
}
