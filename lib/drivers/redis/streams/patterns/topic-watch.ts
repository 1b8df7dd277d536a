import type { Redis } from 'ioredis';
import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import { ClosedError } from '../../../../errors/bus.errors.js';
import { isDiscoBusError } from '../../../../errors/disco-bus-error.js';
import { isTopic } from '../../../../message/topic.js';
import { topicMatcher } from '../../../../message/topic-pattern.js';
import { atOnce } from '../../../../timing/at-once.js';
import { RedisCommands } from '../../redis-client.js';
import { toDriverError } from '../../redis-error.js';
import type { RedisLink } from '../../redis-link.js';
import type { StreamContext } from '../stream-context.js';
import { type GroupPattern, type ListedTopic, TopicDirectory } from './topic-directory.js';

/** Topics that are joined at a time. */
const JOINED_AT_ONCE = 64;

type StartFrom = DriverSubscribeOptions['startFrom'];

/** Subscribes to one topic, within the places that all topics of the pattern share. */
type SubscribeTopic = (topic: string, startFrom: StartFrom) => Promise<DriverSubscription>;

/** Finds topics for pattern subscriptions: as they are announced, after each (re)connect, and by reading all now and then. */
export class TopicWatch {
  private readonly directory = new TopicDirectory(this.context.keys, this.context.admin);
  /** Each with whether it has begun: what was there before is then not new to it. */
  private readonly watchers = new Map<PatternSubscription, boolean>();
  private coming = 0;
  private news: TopicNews | undefined;
  private timer: NodeJS.Timeout | undefined;
  private reading = false;
  private again = false;
  private closed = false;

  constructor(readonly context: StreamContext) {}

  /** Subscribes to all topics that `pattern` means, each with `subscribeTopic`. Rejects when Redis cannot be reached. */
  async subscribe(
    pattern: string,
    { group, startFrom }: DriverSubscribeOptions,
    subscribeTopic: SubscribeTopic,
  ): Promise<DriverSubscription> {
    const { keys, driver } = this.context;
    const nothing = async () => {};
    await this.context.ask('patterns', [keys.patterns, keys.topics], nothing, driver.connectTimeoutMs);
    const subscription = new PatternSubscription(this, pattern, group, subscribeTopic);
    try {
      await this.add(subscription, startFrom);
    } catch (error) {
      await subscription.close();
      throw error;
    }
    return subscription;
  }

  remove(watcher: PatternSubscription): void {
    this.watchers.delete(watcher);
    this.restIfUnused();
  }

  close(): void {
    this.closed = true;
    this.watchers.clear();
    this.restIfUnused();
  }

  /**
   * Resolves when the watcher has begun with the topics that are there; from then on it gets all that turn up. A group
   * that was subscribed to the pattern before begins topics that are new to it at their beginning, so it misses nothing.
   */
  private async add(watcher: PatternSubscription, startFrom: StartFrom): Promise<void> {
    this.coming++;
    this.news ??= new TopicNews(this.context, this.heard, this.look);
    try {
      await this.news.ready();
      this.watchers.set(watcher, false);
      await this.begin(watcher, startFrom);
      if (this.closed) throw new ClosedError('The Redis driver is closed');
      this.watchers.set(watcher, true);
      this.timer ??= setInterval(this.look, this.context.options.topicDiscoveryMs).unref();
    } catch (error) {
      this.watchers.delete(watcher);
      throw error;
    } finally {
      this.coming--;
      this.restIfUnused();
    }
  }

  private async begin(watcher: PatternSubscription, startFrom: StartFrom): Promise<void> {
    const { directory } = this;
    const giveUpMs = performance.now() + this.context.driver.connectTimeoutMs;
    const { nowMs, known } = await directory.begin(watcher, () => performance.now() < giveUpMs);
    const lacking = (await directory.list()).filter(({ topic }) => watcher.lacks(topic));
    await watcher.begin(await directory.existing(lacking, nowMs), known ? 'beginning' : startFrom);
    await directory.hear([watcher]);
  }

  private restIfUnused(): void {
    if (this.watchers.size > 0 || this.coming > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.news?.close();
    this.news = undefined;
  }

  private readonly heard = (text: string): void => {
    const topics = text.split(' ').filter(isTopic);
    for (const watcher of this.watchers.keys()) void watcher.found(topics);
  };

  private readonly look = (): void => {
    if (this.reading) this.again = true;
    else void this.lookOnce();
  };

  private async lookOnce(): Promise<void> {
    this.reading = true;
    do {
      this.again = false;
      // Without a connection, or when Redis refuses for now, the next look finds it.
      await this.readAll().catch(() => undefined);
    } while (this.again);
    this.reading = false;
  }

  private async readAll(): Promise<void> {
    const { directory } = this;
    const watchers = [...this.watchers].filter(([, begun]) => begun).map(([watcher]) => watcher);
    if (watchers.length === 0) return;
    const nowMs = await directory.hear(watchers);
    const lackedBySome = ({ topic }: ListedTopic) => watchers.some((watcher) => watcher.lacks(topic));
    const topics = await directory.existing((await directory.list()).filter(lackedBySome), nowMs);
    await Promise.all(watchers.map((watcher) => watcher.found(topics)));
  }
}

/** One subscription to all topics that a pattern means, also to those that come later. */
class PatternSubscription implements DriverSubscription, GroupPattern {
  private readonly matches = topicMatcher(this.pattern);
  private readonly topics = new Map<string, Promise<DriverSubscription>>();
  private readonly live = new Set<DriverSubscription>();
  private readonly refused = new Set<string>();
  /** The topics that were there first are joined. */
  private begun = false;
  private paused = false;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly watch: TopicWatch,
    readonly pattern: string,
    readonly group: string,
    private readonly subscribeTopic: SubscribeTopic,
  ) {}

  /** Whether it means the topic and does not read it yet. */
  lacks(topic: string): boolean {
    return this.closing === undefined && !this.topics.has(topic) && this.matches(topic);
  }

  /** Begins with these topics. Rejects when Redis cannot be reached. */
  async begin(topics: readonly string[], startFrom: StartFrom): Promise<void> {
    await this.join(topics, startFrom);
    this.begun = true;
  }

  /** These topics turned up; all that is in them is new. A topic that cannot be read is tried again when it is found again. */
  async found(topics: readonly string[]): Promise<void> {
    await this.join(topics, 'beginning').catch(() => undefined);
  }

  pause(): void {
    this.paused = true;
    for (const subscription of this.live) subscription.pause();
  }

  resume(): void {
    this.paused = false;
    for (const subscription of this.live) subscription.resume();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async join(topics: readonly string[], startFrom: StartFrom): Promise<void> {
    const lacking = topics.filter((topic) => this.lacks(topic));
    await atOnce(lacking, JOINED_AT_ONCE, (topic) => this.joinOne(topic, startFrom));
  }

  private async joinOne(topic: string, startFrom: StartFrom): Promise<void> {
    if (!this.lacks(topic)) return;
    const joining = this.subscribeTopic(topic, startFrom);
    this.topics.set(topic, joining);
    try {
      const subscription = await joining;
      this.live.add(subscription);
      this.refused.delete(topic);
      if (this.paused) subscription.pause();
    } catch (error) {
      this.topics.delete(topic);
      if (!this.begun && isDiscoBusError(error, 'DISCO_NOT_CONNECTED')) throw error;
      const isOver = this.closing !== undefined || isDiscoBusError(error, 'DISCO_CLOSED');
      if (isOver || this.refused.has(topic)) return;
      this.refused.add(topic);
      this.watch.context.status({ type: 'error', error: toDriverError(error) });
    }
  }

  private async end(): Promise<void> {
    this.watch.remove(this);
    const closing = Array.from(this.live, (subscription) => subscription.close());
    // Topics that are being joined are closed as soon as they can be.
    const joined = await Promise.all(Array.from(this.topics.values(), (each) => each.catch(() => undefined)));
    await Promise.all([...closing, ...joined.map((subscription) => subscription?.close())]);
  }
}

/** A connection that listens where topics are announced. */
class TopicNews {
  private readonly link: RedisLink;

  /** `up`: the channel is listened to (again); what was published in between is missed. */
  constructor(
    private readonly context: StreamContext,
    heard: (text: string) => void,
    up: () => void,
  ) {
    const commands = new RedisCommands(context.driver.commandTimeoutMs);
    this.link = context.setup.connections.link('subscribe', {
      prepare: async (client: Redis) => {
        client.on('message', (_channel: string, text: string) => heard(text));
        await commands.run(client.subscribe(context.keys.topicNews));
      },
      up,
    });
    this.link.start();
  }

  /** Resolves when it listens; rejects when it does not within the time to connect. */
  ready(): Promise<void> {
    return this.link.whenUp(this.context.driver.connectTimeoutMs);
  }

  close(): void {
    this.context.setup.connections.drop(this.link);
  }
}
