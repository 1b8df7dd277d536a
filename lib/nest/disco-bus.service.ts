import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { BusState, BusStatus } from '../bus/bus-status.js';
import type { BatchHandler } from '../bus/consume/batch.js';
import type { Subscription } from '../bus/consume/subscription.js';
import type { ContractClient } from '../bus/contract/contract-client.js';
import type { DiscoBus } from '../bus/disco-bus.js';
import type { BusAdmin } from '../bus/operate/bus-admin.js';
import type { DeadLetterQueue } from '../bus/operate/dead-letter-queue.js';
import type { Inspector } from '../bus/operate/inspector.js';
import type {
  BatchSubscribeOptions,
  MessageHandler,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  SubscribeOptions,
} from '../bus/options/bus-options.js';
import type { Answers } from '../bus/requests/reply-stream.js';
import type { Contract, RequestDefinition, TopicDefinition } from '../contract/definition.js';
import type { Received } from '../contract/received.js';
import type { LockManager } from '../lock/lock-manager.js';
import { LocksByKey } from '../lock/locks-by-key.js';
import type { Duration } from '../timing/duration.js';

/** Any topic with any payload: what a `DiscoBusService` without a type argument carries. */
export type AnyEvents = Record<string, any>;

/** The payload of a topic by its name, or `Defined` where a definition stands for it. */
export type EventOf<Events extends AnyEvents, Topic, Defined> = [Topic] extends [keyof Events]
  ? Events[Topic]
  : Defined;

/** A name with a wildcard in it. */
export type TopicPattern = `${string}*${string}` | `${string}>`;

/**
 * A bus as Nest's providers see it. `Events` maps topics to their payloads: `DiscoBusService<{ orders: Order }>` lets only
 * an Order be published to `orders`. It starts with the application and stops with it.
 */
export class DiscoBusService<Events extends AnyEvents = AnyEvents>
  implements OnModuleInit, OnApplicationShutdown
{
  /** Every status of the bus and of its driver from the moment of subscribing; completes when the bus is closed. */
  readonly status: Observable<BusStatus>;
  private readonly locksByKey: LocksByKey;

  /** Made by `DiscoBusModule`; `onStopped` is called once the bus is closed. */
  constructor(
    /** The bus itself, framework-free. */
    readonly bus: DiscoBus,
    /**
     * The locks of the bus: usable from its start on (NotConnectedError before), until it stops (ClosedError). They have a
     * connection of their own, opened when first needed. What is still held then stays held until its ttl is over, as its
     * work may still be running; its signal aborts.
     */
    readonly locks: LockManager,
    private readonly onStopped: () => void = () => {},
  ) {
    this.status = statusOf(bus);
    this.locksByKey = new LocksByKey(locks);
  }

  /** Where the bus is in its life. */
  get state(): BusState {
    return this.bus.state;
  }

  /** Whether the driver has its connection right now. */
  get connected(): boolean {
    return this.bus.connected;
  }

  /** As {@link DiscoBus.admin}: what operators do to topics and groups. */
  get admin(): BusAdmin {
    return this.bus.admin;
  }

  /** As {@link DiscoBus.inspect}: what is stored, who reads it, and how far they are. */
  get inspect(): Inspector {
    return this.bus.inspect;
  }

  /** As {@link DiscoBus.publish}: resolves when the driver has accepted the message. */
  publish<Topic extends (keyof Events & string) | TopicDefinition, Published = unknown>(
    topic: Topic | TopicDefinition<Published>,
    payload: EventOf<Events, Topic, NoInfer<Published>>,
    options?: PublishOptions,
  ): Promise<PublishReceipt> {
    return this.bus.publish<any>(topic, payload, options);
  }

  /** As {@link DiscoBus.publishBatch}: each payload is a message of its own; nothing is sent if one of them is at fault. */
  publishBatch<Topic extends (keyof Events & string) | TopicDefinition, Published = unknown>(
    topic: Topic | TopicDefinition<Published>,
    payloads: readonly EventOf<Events, Topic, NoInfer<Published>>[],
    options?: PublishOptions,
  ): Promise<PublishReceipt[]> {
    return this.bus.publishBatch<any>(topic, payloads, options);
  }

  /** As {@link DiscoBus.subscribe}: resolves when the subscription is live. It ends with the bus at the latest. */
  subscribe<
    Topic extends (keyof Events & string) | TopicDefinition | RequestDefinition,
    Handled = never,
    Replied = unknown,
  >(
    topic: Topic | TopicDefinition<never, Handled> | RequestDefinition<never, Handled, Replied>,
    handler: MessageHandler<EventOf<Events, Topic, Handled>, Answers<NoInfer<Replied>>>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** The same for every topic that a pattern matches. */
  subscribe(
    pattern: TopicPattern,
    handler: MessageHandler<Events[keyof Events]>,
    options?: SubscribeOptions,
  ): Promise<Subscription>;
  /** With `batch`, calls `handler` with up to `batch.size` messages at a time. */
  subscribe<Topic extends (keyof Events & string) | TopicDefinition, Handled = never>(
    topic: Topic | TopicDefinition<never, Handled>,
    handler: BatchHandler<EventOf<Events, Topic, Handled>>,
    options: BatchSubscribeOptions,
  ): Promise<Subscription>;
  /** The same for every topic that a pattern matches. */
  subscribe(
    pattern: TopicPattern,
    handler: BatchHandler<Events[keyof Events]>,
    options: BatchSubscribeOptions,
  ): Promise<Subscription>;
  subscribe(topic: any, handler: any, options?: any): Promise<Subscription> {
    return this.bus.subscribe(topic, handler, options);
  }

  /** As {@link DiscoBus.deadLetters}: of a topic and group, @default the bus's `service`. Throws TopicInvalidError. */
  deadLetters<Published>(
    topic: TopicDefinition<Published>,
    group?: string,
  ): DeadLetterQueue<Received<Published>>;
  deadLetters(topic: keyof Events & string, group?: string): DeadLetterQueue;
  deadLetters(topic: any, group?: string): DeadLetterQueue<any> {
    return this.bus.deadLetters(topic, group);
  }

  /** As {@link DiscoBus.drain}. */
  drain(): Promise<void> {
    return this.bus.drain();
  }

  /** As {@link DiscoBus.removeGroup}. */
  removeGroup(topic: keyof Events & string, group: string): Promise<boolean> {
    return this.bus.removeGroup(topic, group);
  }

  /**
   * Takes the lock of `key` if it is free: whether it was. Rejects as {@link LockManager.tryAcquire} does. It is this
   * process's until `releaseLock`, or until `ttl` is over; nothing extends it by itself.
   * @param ttl defaults to the bus's `lock.ttl`
   */
  acquireLock(key: string, ttl?: Duration): Promise<boolean> {
    return this.locksByKey.acquire(key, ttl);
  }

  /** Gives up a lock taken by `acquireLock`: false if this process did not hold it (any more). */
  releaseLock(key: string): Promise<boolean> {
    return this.locksByKey.release(key);
  }

  /** Sets the time to live of a lock taken by `acquireLock` to `ttl` from now: false if this process did not hold it (any more). */
  expire(key: string, ttl: Duration): Promise<boolean> {
    return this.locksByKey.extend(key, ttl);
  }

  /** As {@link DiscoBus.request}: resolves with what the topic's handler returns. */
  request<Asked, Reply>(
    request: RequestDefinition<Asked, any, any, Reply>,
    payload: NoInfer<Asked>,
    options?: RequestOptions,
  ): Promise<Reply>;
  request<Reply = unknown, Topic extends keyof Events & string = keyof Events & string>(
    topic: Topic,
    payload: Events[Topic],
    options?: RequestOptions,
  ): Promise<Reply>;
  request(topic: any, payload: unknown, options?: RequestOptions): Promise<any> {
    return this.bus.request(topic, payload, options);
  }

  /** As {@link DiscoBus.client}: the requests of `contract` as methods. */
  client<C extends Contract>(contract: C): ContractClient<C> {
    return this.bus.client(contract);
  }

  /** Connects, as `connection` says; the application's own start calls it. Idempotent. */
  async start(): Promise<void> {
    await this.locks.connect();
    await this.bus.start();
  }

  /**
   * Stops reading, lets running handlers finish for at most `shutdownTimeout`, ends the locks, and closes. Idempotent;
   * final.
   */
  async stop(): Promise<void> {
    await this.bus.drain();
    await this.locks.close().finally(() => this.bus.stop());
    this.onStopped();
  }

  /** Resolves when the server answered. */
  ping(): Promise<void> {
    return this.bus.ping();
  }

  /** A start that fails leaves nothing running: the application has failed with it. */
  async onModuleInit(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  onApplicationShutdown(): Promise<void> {
    return this.stop();
  }
}

function statusOf(bus: DiscoBus): Observable<BusStatus> {
  return new Observable((subscriber) => {
    if (bus.state === 'closed') return subscriber.complete();
    return bus.onStatus((status) => {
      subscriber.next(status);
      if (status.type === 'state' && status.state === 'closed') subscriber.complete();
    });
  });
}
