import type { Writable } from 'node:stream';
import { Command, type Redis } from 'ioredis';
import type { DriverPublishOptions, DriverReceipt } from '../../../driver/driver.js';
import { AbortedError, ClosedError } from '../../../errors/bus.errors.js';
import {
  BackpressureError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
} from '../../../errors/publish.errors.js';
import { Deadlines } from '../../../timing/deadlines.js';
import type { RedisConnections } from '../redis-connections.js';
import { isRefusal, isUnsent, replyCode, toDriverError } from '../redis-error.js';
import type { RedisLink } from '../redis-link.js';
import type { ResolvedRedisOptions } from '../redis-options.js';
import { PendingPublish, type PendingPublishOwner } from './pending-publish.js';

/** PUBLISH that hands its frame to the socket as it is: ioredis would copy it into the text of the command. */
class PublishCommand extends Command {
  constructor(
    private readonly channel: string,
    private readonly frame: Uint8Array,
  ) {
    super('publish', []);
  }

  /** Writes all but the end, which ioredis then writes itself. */
  override toWritable(socket: object): string {
    const { channel, frame } = this;
    const channelBytes = Buffer.byteLength(channel);
    const out = socket as Writable;
    out.write(`*3\r\n$7\r\npublish\r\n$${channelBytes}\r\n${channel}\r\n$${frame.byteLength}\r\n`);
    out.write(frame);
    return '\r\n';
  }
}

/** A socket that takes this many times the buffer limit without sending it on is stuck, not busy. */
const SOCKET_BUFFERS = 4;

/** So much is not held back any longer: the other side may begin with it. Bytes. */
const GATHERED_BYTES = 64 * 1024;

/** What the servers count is one node's clients only in a Cluster, so there it is not told. */
const noReceipt: DriverReceipt = {};

/**
 * Publishes over one connection, in the order of the calls. While there is no connection, frames wait in a bounded
 * buffer, each until its own deadline; a frame that was rejected as not sent is never sent later.
 */
export class PubSubPublisher implements PendingPublishOwner {
  readonly link: RedisLink;
  private readonly waiting = new Set<PendingPublish>();
  private waitingBytes = 0;
  private inFlight = 0;
  /** Holds back what is written to it until the turn ends. */
  private gathering: Writable | undefined;
  private drained: (() => void) | undefined;
  private readonly deadlines = new Deadlines();
  private readonly socketLimitBytes: number;

  constructor(
    connections: RedisConnections,
    private readonly options: ResolvedRedisOptions,
    private readonly countsReceivers: boolean,
  ) {
    this.socketLimitBytes = options.bufferLimit.bytes * SOCKET_BUFFERS;
    this.link = connections.link('publish', { up: (client) => this.flush(client) });
  }

  publish(
    topic: string,
    channel: string,
    frame: Uint8Array,
    options: DriverPublishOptions,
  ): Promise<DriverReceipt> {
    const { signal, timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(new AbortedError(signal.reason));
    return new Promise((resolve, reject) => {
      const pending = new PendingPublish(this, topic, frame, options, resolve, reject, channel);
      this.deadlines.track(pending, timeoutMs);
      const { client } = this.link;
      if (client !== undefined && client.status === 'ready') this.send(client, pending);
      else this.keep(pending);
    });
  }

  /** Rejects what waits, and resolves when everything sent is answered, at the latest after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    for (const pending of this.waiting)
      pending.fail(new ClosedError('The Redis driver is closed; nothing was sent'));
    if (this.inFlight > 0 && this.link.client !== undefined) await this.answered(graceMs);
    this.drained = undefined;
  }

  withdrawn(pending: PendingPublish): void {
    if (this.waiting.delete(pending)) this.waitingBytes -= pending.frame.byteLength;
  }

  private keep(pending: PendingPublish): void {
    const { messages, bytes } = this.options.bufferLimit;
    const size = pending.frame.byteLength;
    pending.waits();
    if (this.waiting.size < messages && this.waitingBytes + size <= bytes) {
      this.waiting.add(pending);
      this.waitingBytes += size;
    } else {
      pending.fail(
        new BackpressureError(`No connection to Redis, and ${this.waiting.size} messages wait already`),
      );
    }
  }

  private flush(client: Redis): void {
    for (const pending of this.waiting) {
      if (pending.isStale) {
        pending.fail(new PublishTimeoutError(pending.topic, pending.options.ttlMs ?? 0));
      } else {
        this.withdrawn(pending);
        this.send(client, pending);
      }
    }
  }

  private send(client: Redis, pending: PendingPublish): void {
    if (client.stream.writableLength > this.socketLimitBytes) {
      pending.fail(new BackpressureError('Redis does not take the messages fast enough'));
      return;
    }
    pending.leaves();
    this.inFlight++;
    this.gather(client.stream);
    const command = new PublishCommand(pending.channel, pending.frame);
    (client.sendCommand(command) as Promise<number>).then(
      (receivers) => {
        this.landed();
        pending.accept(this.countsReceivers ? { receivers } : noReceipt);
      },
      (error: unknown) => {
        this.landed();
        this.failed(pending, error);
      },
    );
  }

  /** What is published in one turn is written in one call, or in several of {@link GATHERED_BYTES}. */
  private gather(stream: Writable): void {
    if (this.gathering !== stream) {
      this.gathering = stream;
      stream.cork();
      process.nextTick(() => {
        if (this.gathering === stream) this.gathering = undefined;
        stream.uncork();
      });
    } else if (stream.writableLength >= GATHERED_BYTES) {
      stream.uncork();
      stream.cork();
    }
  }

  private failed(pending: PendingPublish, error: unknown): void {
    if (pending.isSettled) return;
    const told = toDriverError(error);
    if (isUnsent(error)) {
      this.keep(pending);
    } else if (isRefusal(error)) {
      // A server that became a replica keeps its connections and refuses for ever: look for the primary.
      if (replyCode(error) === 'READONLY') this.link.reset(told);
      pending.fail(told);
    } else {
      pending.fail(new PublishOutcomeUnknownError(pending.topic, { cause: told }));
    }
  }

  private landed(): void {
    if (--this.inFlight === 0) this.drained?.();
  }

  private answered(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.drained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
