import { ClosedError } from '../../../../errors/bus.errors.js';
import { PublishTimeoutError } from '../../../../errors/publish.errors.js';
import type { PendingPublish } from '../../pubsub/pending-publish.js';
import { isRefusal, replyCode, toDriverError } from '../../redis-error.js';
import type { AbandonedGroups } from '../group/groups.js';
import type { TopicAnnouncements } from '../patterns/topic-directory.js';
import { publishScript } from '../scripts/publish-scripts.js';
import { persist, type StreamClient, type StreamConnection } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import { StreamScript } from '../stream-script.js';
import { PublishBatch, type PublishReply, readPublishReply } from './publish-batch.js';
import type { PublishReports, PublishRights } from './publish-reports.js';

/** A script should stay below a millisecond. */
const MAX_MESSAGES = 256;
const MAX_BYTES = 256 * 1024;

const script = new StreamScript(publishScript);

/** The publisher that a lane belongs to. */
export interface PublishLaneOwner {
  readonly context: StreamContext;
  readonly connection: StreamConnection;
  /** Names the publisher in its logs of what was sent. */
  readonly name: string;
  readonly rights: PublishRights;
  readonly reports: PublishReports;
  readonly announcements: TopicAnnouncements;
  readonly abandoned: AbandonedGroups;
  /** The batch of the publish is answered. */
  accepted(pending: PendingPublish): void;
  /** A number that no other batch of the publisher has. */
  nextBatch(): number;
  /** The publish does not wait in the lane any more. */
  withdrawn(pending: PendingPublish): void;
}

/**
 * Messages that may share a script call. One call is under way at a time, so that order is kept over a repetition; what
 * comes meanwhile goes with the next.
 */
export class PublishLane {
  private queue: PendingPublish[] = [];
  private head = 0;
  private sending = false;
  private scheduled = false;
  private idleWaiters: (() => void)[] = [];
  private current: PublishBatch | undefined;
  /** The server has turned the current batch down. */
  private refused = false;
  private readonly log: string;

  constructor(
    private readonly owner: PublishLaneOwner,
    topic: string | undefined,
    private readonly onIdle: () => void,
  ) {
    this.log = owner.context.keys.sent(owner.name, topic);
  }

  add(pending: PendingPublish): void {
    this.queue.push(pending);
    if (this.sending || this.scheduled) return;
    this.scheduled = true;
    // After all microtasks of the turn, and so after every publish that follows from what was just settled.
    queueMicrotask(() => process.nextTick(this.flush));
  }

  /** Resolves when no publish waits for its answer any more. */
  idle(): Promise<void> {
    const awaited = this.scheduled || this.head < this.queue.length || this.current?.isWanted === true;
    if (!awaited) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** Gives up what waits; what was sent keeps its own deadline. */
  abandon(): void {
    const waiting = this.queue.slice(this.head);
    this.queue = [];
    this.head = 0;
    for (const pending of waiting) {
      pending.fail(new ClosedError('The Redis driver is closed; nothing was sent'));
    }
    for (const pending of this.current?.messages ?? []) pending.expired();
    this.wake();
  }

  private readonly flush = (): void => {
    const { connection } = this.owner;
    if (connection.client === undefined && this.head < this.queue.length) return void this.wait();
    this.scheduled = false;
    const messages = this.take();
    if (messages.length > 0) return void this.send(messages);
    this.wake();
    this.onIdle();
  };

  /** Nothing counts as sent before there is a connection. */
  private async wait(): Promise<void> {
    this.scheduled = true;
    try {
      await this.owner.connection.ready();
      this.flush();
    } catch {
      this.abandon();
      this.scheduled = false;
      this.flush();
    }
  }

  private take(): PendingPublish[] {
    const messages: PendingPublish[] = [];
    let bytes = 0;
    while (this.head < this.queue.length && messages.length < MAX_MESSAGES && bytes < MAX_BYTES) {
      const pending = this.queue[this.head++];
      if (pending.isSettled) continue;
      if (pending.isStale) {
        pending.fail(new PublishTimeoutError(pending.topic, pending.options.ttlMs ?? 0));
        continue;
      }
      this.owner.withdrawn(pending);
      pending.leaves();
      bytes += pending.frame.byteLength;
      messages.push(pending);
    }
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    }
    return messages;
  }

  private async send(messages: readonly PendingPublish[]): Promise<void> {
    const { reports } = this.owner;
    this.sending = true;
    this.current = this.batchOf(messages);
    this.refused = false;
    try {
      const reply = await this.storeListed();
      this.current.settle(reply, await this.blames(this.current.fullTopics(reply)));
      reports.full(reply.outOfMemory);
      for (const message of this.current.messages) this.owner.accepted(message);
      for (let index = 0; index < reply.dropped.length; index += 2)
        reports.dropped(String(reply.dropped[index]), Number(reply.dropped[index + 1]));
      for (const stream of reply.unread) reports.unread(stream);
    } catch (error) {
      const told = toDriverError(error);
      if (replyCode(told.cause) === 'OOM') reports.full(true);
      for (const message of messages) message.fail(told);
    }
    this.current = undefined;
    this.sending = false;
    this.flush();
  }

  private async blames(topics: readonly string[]): Promise<Map<string, string | undefined>> {
    const { abandoned } = this.owner;
    return new Map(
      await Promise.all(topics.map(async (topic) => [topic, await abandoned.blame(topic)] as const)),
    );
  }

  private batchOf(messages: readonly PendingPublish[]): PublishBatch {
    return new PublishBatch(messages, this.log, this.owner.nextBatch(), this.owner.context);
  }

  /** Stores the batch. No message is accepted before subscribers of patterns can find its topic. */
  private async storeListed(): Promise<PublishReply> {
    const { abandoned, announcements, connection, context } = this.owner;
    const wanted = () => this.current?.isWanted === true;
    const list = (topics: readonly string[]) =>
      topics.length === 0 ? undefined : announcements.announce(topics, wanted).catch(toDriverError);
    const due = announcements.due(this.current?.messages ?? []);
    const listing = list(due);
    const [answer, replicas] = await persist(connection, (client) => this.store(client), wanted);
    const reply = readPublishReply(answer, replicas);
    // The server has lost the stream, and with it perhaps the list.
    const lost = reply.made
      .map((stream) => context.keys.topicOf(stream))
      .filter((topic) => !due.includes(topic));
    if (due.length > 0) void abandoned.look(due);
    const unlisted = (await listing) ?? (await list(lost)) ?? undefined;
    return { ...reply, unlisted };
  }

  /**
   * The reply of the script, and how many replicas have what it wrote. What a server has turned down was not stored: a message
   * whose time is over meanwhile is not sent again.
   */
  private async store(client: StreamClient): Promise<[unknown, number]> {
    const { replicas, replicasTimeoutMs } = this.owner.context.options;
    if (!this.owner.rights.passed) await this.assertRights(client);
    if (this.refused) this.leaveOutSettled();
    const { keys, args, messages } = this.current as PublishBatch;
    for (const message of messages) message.leaves();
    try {
      const [answer, count]: [unknown, number] =
        replicas === 0
          ? [await script.run(client, keys, args), 0]
          : await script.runReplicated(client, keys, args, replicas, replicasTimeoutMs);
      const readOnly = (answer as unknown[]).find((each) => String(each).startsWith('-READONLY'));
      if (readOnly === undefined) return [answer, count];
      throw Object.assign(new Error(String(readOnly).slice(1)), { name: 'ReplyError' });
    } catch (error) {
      if (isRefusal(error)) for (const message of messages) message.turnedDown();
      this.refused = isRefusal(error);
      throw error;
    }
  }

  /** Nothing of the batch is sent before; a publish that gives up meanwhile is left out. The rights are tried on the stream. */
  private async assertRights(client: StreamClient): Promise<void> {
    const { messages, keys } = this.current as PublishBatch;
    const [log, stream, ...others] = keys;
    for (const message of messages) message.turnedDown();
    this.refused = true;
    const { topics } = this.owner.context.keys;
    await this.owner.rights.assert(client, [stream, log, ...others, `${stream}:read`, topics]);
  }

  /** What was turned down and has given up since is left out. */
  private leaveOutSettled(): void {
    const messages = this.current?.messages ?? [];
    const left = messages.filter((message) => !message.isSettled);
    if (left.length < messages.length) this.current = this.batchOf(left);
    this.refused = false;
  }

  private wake(): void {
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
