import type { Redis } from 'ioredis';
import { NotConnectedError } from '../../../../errors/bus.errors.js';
import { isDiscoBusError } from '../../../../errors/disco-bus-error.js';
import { within } from '../../../../timing/within.js';
import { RedisCommands } from '../../redis-client.js';
import { replyCode, toDriverError } from '../../redis-error.js';
import { isPassing, type StreamClient } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { BlockingRead, findClientId, ReadWaker } from './blocking-read.js';
import {
  type ReadOptions,
  ReadPlan,
  type ReadTarget,
  readGroup,
  type StreamReply,
  sizeClasses,
} from './read-plan.js';
import type { ConsumerReader, TopicConsumer } from './topic-consumer.js';

/** A connection whose blocking read is overdue by this time is dead. */
const WATCHDOG_MS = 1_000;
/** A read that comes back empty this long before its time was ended by somebody. */
const EARLY_MS = 100;
/** Closing waits for a read no longer than this. */
const CLOSE_MS = 500;

/** Reads for the consumers of one group over one connection, as much as they have places for. */
export class StreamReader implements ConsumerReader {
  private readonly plan = new ReadPlan(() => this.interrupt());
  private known: StreamClient | undefined;
  /** As whom it reads. */
  private readonly as = { group: this.group, name: this.context.name };
  private wakeSleeper: (() => void) | undefined;
  private woken = false;
  private closed = false;
  /** The reader's own, which it closes. */
  private readonly connection = this.context.openReader();
  /** Where commands about the reader's connection go; undefined where there is no one connection. */
  private readonly admin = this.context.clustered ? undefined : this.context.admin;
  private readonly blocked = new BlockingRead(this.admin);
  private readonly blockMs = this.context.options.blockMs;
  private readonly watchdog = new RedisCommands(this.blockMs + WATCHDOG_MS);
  private readonly ended: Promise<void>;

  constructor(
    private readonly context: StreamContext,
    private readonly group: string,
  ) {
    this.ended = this.loop();
  }

  get clientId(): number | undefined {
    return this.blocked.clientId;
  }

  get isEmpty(): boolean {
    return this.plan.consumers.size === 0;
  }

  add(consumer: TopicConsumer): void {
    consumer.reader = this;
    consumer.recovers = true;
    this.plan.add(consumer);
    if (this.clientId !== undefined) consumer.upkeep.within(0);
    this.interrupt();
  }

  async remove(consumer: TopicConsumer): Promise<void> {
    if (!this.plan.remove(consumer)) return;
    consumer.reader = undefined;
    if (this.blocked.isFor(consumer)) await this.blocked.unblock();
    // It may have been added again meanwhile.
    if (!this.plan.consumers.has(consumer)) this.plan.forget(consumer);
  }

  wake(consumer: TopicConsumer): void {
    if (consumer.recovers || !this.blocked.isFor(consumer)) this.interrupt();
  }

  /** Ends reading, and its connection. What Redis hands over in the last moment stays pending for this consumer. */
  async close(): Promise<void> {
    this.closed = true;
    this.interrupt();
    if (this.admin !== undefined) await within(CLOSE_MS, this.ended);
    this.connection.close();
    // The loop may wait for the admin connection, which is closed later: then it ends with that.
    await within(CLOSE_MS, this.ended);
    const { waker } = this.blocked;
    if (waker !== undefined) await within(CLOSE_MS, waker.forget());
  }

  private readonly interrupt = (): void => {
    this.woken = true;
    this.wakeSleeper?.();
    void this.blocked.unblock();
  };

  private async loop(): Promise<void> {
    while (!this.closed) {
      try {
        await this.step();
      } catch (error) {
        if (this.closed || isDiscoBusError(error, 'DISCO_CLOSED')) return;
        for (const consumer of this.plan.consumers) consumer.recovers = true;
        await this.trouble(error).catch(() => this.connection.ready().catch(() => undefined));
      }
    }
  }

  private async step(): Promise<void> {
    const { client } = this.connection;
    if (client === undefined) return this.connection.ready();
    if (client !== this.known) await this.adopt(client);
    for (const consumer of this.plan.consumers) if (consumer.recovers) await consumer.recover();
    this.woken = false;
    if (await this.readBusy(client)) return;
    const targets = this.plan.all();
    if (targets.length === 0) return this.sleep();
    if (await this.readBack(client, targets)) return;
    const classes = sizeClasses(targets);
    if (classes.length > 1 && (await this.readNow(client, classes))) return;
    await this.blocked.waker?.ready();
    const sinceMs = performance.now();
    const wakes = this.blocked.waker ? [this.blocked.waker.key] : [];
    const reading = this.read(client, targets, { blockMs: this.blockMs, others: wakes });
    const consumers = new Set(targets.map(({ consumer }) => consumer));
    const reply = await this.blocked.during(consumers, reading, this.woken);
    this.handOut(targets, reply);
    const endedEarly = reply === null && performance.now() - sinceMs < this.blockMs - EARLY_MS;
    // An operator has ended it, after setting something for a group.
    if (endedEarly && !this.woken) for (const { consumer } of targets) consumer.upkeep.within(0);
  }

  private async readBusy(client: StreamClient): Promise<boolean> {
    const targets = this.plan.busyOnly();
    if (targets.length === 0) return false;
    return (await this.readBack(client, targets)) || this.readNow(client, sizeClasses(targets));
  }

  /** Reads without waiting. Whether there was anything. */
  private async readNow(client: StreamClient, classes: readonly ReadTarget[][]): Promise<boolean> {
    const replies = await Promise.all(classes.map((each) => this.read(client, each)));
    let found = false;
    for (const [index, reply] of replies.entries()) found = this.handOut(classes[index], reply) || found;
    return found;
  }

  /** Reads what came back alone, for consumers that may read nothing new before it. Whether there was anything. */
  private async readBack(client: StreamClient, targets: readonly ReadTarget[]): Promise<boolean> {
    const waiting = targets.filter(({ consumer }) => consumer.backFirst);
    let found = false;
    for (const target of waiting) {
      const reply = await this.read(client, [target], { streams: ['retry'] });
      target.consumer.backFirst = reply !== null && reply.length > 0;
      found = this.handOut([target], reply) || found;
    }
    return found;
  }

  private async read(
    client: StreamClient,
    targets: readonly ReadTarget[],
    options: ReadOptions = {},
  ): Promise<StreamReply | null> {
    const reply = readGroup(client, this.as, targets, options);
    try {
      return await this.watchdog.run(reply);
    } catch (error) {
      throw this.timedOut(toDriverError(error)) ?? error;
    }
  }

  /** Without an answer the connection is dead, whatever it says of itself. */
  private timedOut(error: Error): NotConnectedError | undefined {
    if (error.cause !== undefined || isDiscoBusError(error, 'DISCO_NOT_CONNECTED')) return undefined;
    const silent = new NotConnectedError('Redis did not answer a blocking read');
    this.connection.reset(silent);
    return silent;
  }

  /** Whether there was anything. */
  private handOut(targets: readonly ReadTarget[], reply: StreamReply | null): boolean {
    for (const { consumer } of targets) this.plan.looked(consumer);
    if (reply === null) return false;
    const { waker } = this.blocked;
    for (const [key, entries] of reply) {
      if (key.toString() === waker?.key) waker.seen(entries.map(([id]) => id.toString()));
      const found = this.plan.found(key.toString());
      found?.consumer.take(found.letter, entries);
    }
    return reply.length > 0;
  }

  /** Begins with a new connection. A read of the last one may still be blocked in Redis and take entries, so it is killed. */
  private async adopt(client: StreamClient): Promise<void> {
    const { admin, context, group } = this;
    if (admin !== undefined) {
      const before = this.blocked.clientId;
      this.blocked.clientId = await findClientId(client as Redis);
      this.blocked.waker =
        this.blocked.clientId === undefined
          ? new ReadWaker(context.keys.wake(context.name, group), group, admin)
          : undefined;
      if (before !== undefined) {
        const kill = (other: StreamClient) => (other as Redis).client('KILL', 'ID', before);
        await admin.run(kill).catch(() => undefined);
      }
    }
    this.known = client;
    for (const consumer of this.plan.consumers) {
      consumer.recovers = true;
      // Its report names the connection.
      consumer.upkeep.within(0);
    }
  }

  private async trouble(error: unknown): Promise<void> {
    const code = replyCode((error as Error)?.cause);
    if (code === 'NOGROUP' || code === 'UNBLOCKED') {
      this.blocked.waker?.doubt();
      for (const consumer of this.plan.consumers) await consumer.upkeep.reopen();
      return;
    }
    if (code === 'READONLY' || !isPassing(error)) {
      for (const consumer of this.plan.consumers) consumer.member.readingFailed(toDriverError(error));
    }
    if (code === 'READONLY') this.connection.reset(toDriverError(error));
    await this.connection.ready();
  }

  private sleep(): Promise<void> {
    if (this.woken || this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.wakeSleeper = () => {
        this.wakeSleeper = undefined;
        resolve();
      };
    });
  }
}
