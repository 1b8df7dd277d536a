import { randomBytes } from 'node:crypto';
import type { DriverPublishOptions, DriverReceipt } from '../../../../driver/driver.js';
import { AbortedError, ClosedError } from '../../../../errors/bus.errors.js';
import { BackpressureError } from '../../../../errors/publish.errors.js';
import { Deadlines } from '../../../../timing/deadlines.js';
import { within } from '../../../../timing/within.js';
import { PendingPublish, type PendingPublishOwner } from '../../pubsub/pending-publish.js';
import { AbandonedGroups } from '../group/groups.js';
import { TopicAnnouncements, TopicDirectory } from '../patterns/topic-directory.js';
import { promoteScript } from '../scripts/publish-scripts.js';
import type { StreamContext } from '../stream-context.js';
import { StreamScript } from '../stream-script.js';
import { PublishLane, type PublishLaneOwner } from './publish-lane.js';
import { PublishReports, PublishRights } from './publish-reports.js';

const promote = new StreamScript(promoteScript);

/** Closing waits this long for the deletion of the log, which expires anyway. */
const FORGET_MS = 200;
/** While there is a connection, four times the buffer limit may wait for earlier batches. */
const WAITING_BUFFERS = 4;
/** How soon delayed publishes are tried again that the server could not be asked to move. */
const AGAIN_MS = 500;
/** Node's timers take no more. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Appends to streams: the publishes of one turn in one script call, the next ones while that is under way in another. A
 * call whose reply was lost is made again until it is answered, and stores nothing twice; only a publish whose time is up
 * meanwhile rejects with PublishOutcomeUnknownError.
 */
export class StreamPublisher implements PendingPublishOwner, PublishLaneOwner {
  readonly connection = this.context.publish;
  readonly name = randomBytes(9).toString('base64url');
  readonly rights = new PublishRights(this.context);
  readonly reports = new PublishReports(this.context);
  readonly announcements = new TopicAnnouncements(new TopicDirectory(this.context.keys, this.connection));
  readonly abandoned: AbandonedGroups;
  private readonly lanes = new Map<string, PublishLane>();
  private readonly deadlines = new Deadlines();
  private readonly delayed = new DelayedPublishes(this.context);
  private waiting = 0;
  private waitingBytes = 0;
  private batches = 0;
  private closed = false;

  constructor(
    readonly context: StreamContext,
    removeGroup: (topic: string, group: string) => Promise<boolean>,
  ) {
    this.abandoned = new AbandonedGroups(context, removeGroup);
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
      this.lane(this.context.clustered ? topic : '').add(pending);
    });
  }

  /** Sends what waits if there is a connection, else rejects it. Resolves when all is answered or `graceMs` is over. */
  async close(graceMs: number): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.delayed.close();
    const lanes = [...this.lanes.values()];
    const timer = setTimeout(() => this.abandon(lanes), graceMs);
    if (this.connection.client === undefined) this.abandon(lanes);
    await Promise.all(lanes.map((lane) => lane.idle()));
    clearTimeout(timer);
    this.deadlines.clear();
    await this.forget();
  }

  /** Deletes the log: nothing is sent again that it could answer for. In a Cluster there is one for each topic: those expire. */
  private async forget(): Promise<void> {
    const { connection, context, name } = this;
    if (this.batches === 0 || context.clustered || connection.client === undefined) return;
    const forgotten = connection.run((client) => client.del(context.keys.sent(name))).catch(() => undefined);
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
    const { bufferLimit } = this.context.driver;
    if (this.connection.client === undefined) {
      return this.waiting < bufferLimit.messages && this.waitingBytes + bytes <= bufferLimit.bytes;
    }
    return this.waiting === 0 || this.waitingBytes + bytes <= bufferLimit.bytes * WAITING_BUFFERS;
  }
}

interface Wait {
  readonly dueMs: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Has delayed publishes of this process moved into their streams when they come due. Should it not live until then, the
 * members of the topic's groups do it, within seconds.
 */
class DelayedPublishes {
  private readonly waits = new Map<string, Wait>();
  private closed = false;

  constructor(private readonly context: StreamContext) {}

  /** Something of the topic comes due in `delayMs`. */
  add(topic: string, delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    const present = this.waits.get(topic);
    if (this.closed || (present !== undefined && present.dueMs <= dueMs)) return;
    clearTimeout(present?.timer);
    const timer = setTimeout(() => void this.promote(topic), Math.min(LONGEST_MS, Math.ceil(delayMs)));
    timer.unref();
    this.waits.set(topic, { dueMs, timer });
  }

  close(): void {
    this.closed = true;
    for (const { timer } of this.waits.values()) clearTimeout(timer);
    this.waits.clear();
  }

  private async promote(topic: string): Promise<void> {
    this.waits.delete(topic);
    const { keys, options, publish } = this.context;
    const { later, laterBodies, stream } = keys.topic(topic);
    try {
      const reply = await publish.run((client) =>
        promote.run(client, [later, laterBodies, stream], [options.unread.maxAgeMs]),
      );
      const [now, due, messages, vanished] = reply as [string, string, number, number];
      if (messages > 0) this.context.status({ type: 'expired', topic, group: undefined, messages });
      if (vanished > 0) this.context.status({ type: 'data-loss', topic });
      if (due !== '') this.add(topic, Math.max(1, Number(due) - Number(now)));
    } catch {
      this.add(topic, AGAIN_MS);
    }
  }
}
