import type { DriverPublishOptions, DriverReceipt } from '../../../../driver/driver.js';
import { AbortedError, ClosedError } from '../../../../errors/bus.errors.js';
import { BackpressureError } from '../../../../errors/publish.errors.js';
import { Deadlines } from '../../../../timing/deadlines.js';
import { within } from '../../../../timing/within.js';
import { PendingPublish, type PendingPublishOwner } from '../../pubsub/pending-publish.js';
import { DelayedPublishes } from './delayed-publishes.js';
import { PublishLane, type StreamPublisherSetup } from './publish-lane.js';
import { PublishRights } from './publish-rights.js';

/** A server that does not answer within this finds out by itself. */
const FORGET_MS = 200;
/** While there is a connection, so many times the buffer limit may wait for earlier batches. */
const WAITING_BUFFERS = 4;

/**
 * Appends to streams: the publishes of one turn in one script call, the next ones while that is under way in another. A
 * call whose reply was lost is made again until it is answered, and stores nothing twice; only a publish whose time is up
 * meanwhile rejects with PublishOutcomeUnknownError.
 */
export class StreamPublisher implements PendingPublishOwner {
  private readonly lanes = new Map<string, PublishLane>();
  private readonly deadlines = new Deadlines();
  private waiting = 0;
  private waitingBytes = 0;
  private batches = 0;
  private closed = false;

  readonly rights: PublishRights;
  private readonly delayed: DelayedPublishes;

  constructor(readonly setup: StreamPublisherSetup) {
    this.rights = new PublishRights(setup);
    this.delayed = new DelayedPublishes(setup.connection, setup.keys, setup.options.unread.maxAgeMs);
  }

  publish(topic: string, frame: Uint8Array, options: DriverPublishOptions): Promise<DriverReceipt> {
    const { signal, timeoutMs } = options;
    if (this.closed) return Promise.reject(new ClosedError('The Redis driver is closed'));
    if (signal?.aborted) return Promise.reject(new AbortedError(signal.reason));
    if (!this.hasRoom(frame.byteLength)) {
      return Promise.reject(new BackpressureError(`${this.waiting} messages wait for Redis already`));
    }
    return new Promise((resolve, reject) => {
      const pending = new PendingPublish(this, topic, frame, options, resolve, reject);
      this.deadlines.track(pending, timeoutMs);
      this.waiting++;
      this.waitingBytes += frame.byteLength;
      this.lane(this.setup.bySlot ? topic : '').add(pending);
    });
  }

  /** Sends what waits if there is a connection, rejects it otherwise, and resolves when all is answered or the grace is over. */
  async close(graceMs: number): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.delayed.close();
    const lanes = [...this.lanes.values()];
    const timer = setTimeout(() => this.abandon(lanes), graceMs);
    if (this.setup.connection.client === undefined) this.abandon(lanes);
    await Promise.all(lanes.map((lane) => lane.idle()));
    clearTimeout(timer);
    this.deadlines.clear();
    await this.forget();
  }

  /** Nothing is sent again, so nobody asks any more what was sent. In a Cluster there is one for each topic: those expire. */
  private async forget(): Promise<void> {
    const { connection, keys, name, bySlot } = this.setup;
    if (this.batches === 0 || bySlot || connection.client === undefined) return;
    const forgotten = connection.run((client) => client.del(keys.sent(name))).catch(() => undefined);
    await within(FORGET_MS, forgotten);
  }

  accepted({ topic, options: { delayMs } }: PendingPublish): void {
    if (delayMs !== undefined && delayMs > 0) this.delayed.add(topic, delayMs);
  }

  nextBatch(): number {
    return this.batches++;
  }

  withdrawn(pending: PendingPublish): void {
    this.waiting--;
    this.waitingBytes -= pending.frame.byteLength;
  }

  private abandon(lanes: readonly PublishLane[]): void {
    for (const lane of lanes) lane.abandon();
  }

  private lane(name: string): PublishLane {
    let lane = this.lanes.get(name);
    if (lane === undefined) {
      lane = new PublishLane(this, name === '' ? undefined : name, () => this.lanes.delete(name));
      this.lanes.set(name, lane);
    }
    return lane;
  }

  private hasRoom(bytes: number): boolean {
    const { connection, bufferLimit } = this.setup;
    if (connection.client === undefined) {
      return this.waiting < bufferLimit.messages && this.waitingBytes + bytes <= bufferLimit.bytes;
    }
    return this.waiting === 0 || this.waitingBytes + bytes <= bufferLimit.bytes * WAITING_BUFFERS;
  }
}
