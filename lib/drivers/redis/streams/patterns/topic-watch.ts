import { ClosedError } from '../../../../errors/bus.errors.js';
import { isTopic } from '../../../../message/topic.js';
import type { GroupPattern, ListedTopic, TopicDirectory } from './topic-directory.js';
import type { TopicNews } from './topic-news.js';

/** Who looks for the topics of a pattern. */
export interface TopicWatcher extends GroupPattern {
  /** Whether it means the topic and does not read it yet. */
  lacks(topic: string): boolean;
  /** Begins with these topics. Rejects when Redis cannot be reached. */
  begin(topics: readonly string[], startFrom: 'beginning' | 'new'): Promise<void>;
  /** Topics that turned up; all that is in them is new. */
  found(topics: readonly string[]): Promise<void>;
}

/** What a {@link TopicWatch} works with. */
export interface TopicWatchSetup {
  readonly directory: TopicDirectory;
  /** How often the whole directory is read, as an announcement may be lost. */
  readonly periodMs: number;
  /** How long adding a watcher may wait for Redis. */
  readonly connectTimeoutMs: number;
  openNews(heard: (text: string) => void, up: () => void): TopicNews;
}

/** Finds topics for pattern subscriptions: as they are announced, after each (re)connect, and by reading all now and then. */
export class TopicWatch {
  /** Each with whether it has begun: what was there before is then not new to it. */
  private readonly watchers = new Map<TopicWatcher, boolean>();
  private coming = 0;
  private news: TopicNews | undefined;
  private timer: NodeJS.Timeout | undefined;
  private reading = false;
  private again = false;
  private closed = false;

  constructor(private readonly setup: TopicWatchSetup) {}

  /**
   * Resolves when the watcher has begun with the topics that are there; from then on it is told of all that turn up. A
   * group that was subscribed to the pattern before has missed nothing: it begins at the beginning of what is new to it.
   */
  async add(watcher: TopicWatcher, startFrom: 'beginning' | 'new'): Promise<void> {
    this.coming++;
    this.news ??= this.setup.openNews(this.heard, this.look);
    try {
      await this.news.ready();
      this.watchers.set(watcher, false);
      await this.begin(watcher, startFrom);
      if (this.closed) throw new ClosedError('The Redis driver is closed');
      this.watchers.set(watcher, true);
      this.timer ??= setInterval(this.look, this.setup.periodMs).unref();
    } catch (error) {
      this.watchers.delete(watcher);
      throw error;
    } finally {
      this.coming--;
      this.restIfUnused();
    }
  }

  remove(watcher: TopicWatcher): void {
    this.watchers.delete(watcher);
    this.restIfUnused();
  }

  close(): void {
    this.closed = true;
    this.watchers.clear();
    this.restIfUnused();
  }

  private async begin(watcher: TopicWatcher, startFrom: 'beginning' | 'new'): Promise<void> {
    const { directory, connectTimeoutMs } = this.setup;
    const giveUpMs = performance.now() + connectTimeoutMs;
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
      // When there is no connection, or Redis refuses for now, the next time will tell.
      await this.readAll().catch(() => undefined);
    } while (this.again);
    this.reading = false;
  }

  private async readAll(): Promise<void> {
    const { directory } = this.setup;
    const watchers = [...this.watchers].filter(([, begun]) => begun).map(([watcher]) => watcher);
    if (watchers.length === 0) return;
    const nowMs = await directory.hear(watchers);
    const lackedBySome = ({ topic }: ListedTopic) => watchers.some((watcher) => watcher.lacks(topic));
    const topics = await directory.existing((await directory.list()).filter(lackedBySome), nowMs);
    await Promise.all(watchers.map((watcher) => watcher.found(topics)));
  }
}
