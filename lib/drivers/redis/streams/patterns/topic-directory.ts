import type { Cluster, Redis } from 'ioredis';
import { isTopic } from '../../../../message/topic.js';
import { topicMatcher } from '../../../../message/topic-pattern.js';
import { LISTS_KEPT_MS } from '../scripts/shared-lua.js';
import {
  announceScript,
  hearPatternsScript,
  livePatternsScript,
  tidyScript,
} from '../scripts/topic-scripts.js';
import { persist, type StreamConnection } from '../stream-connection.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const announceTopics = new StreamScript(announceScript);
const tidyTopics = new StreamScript(tidyScript);
const hearPatterns = new StreamScript(hearPatternsScript);
const livePatterns = new StreamScript(livePatternsScript);

/** Names fetched in one call. */
const LISTED_AT_ONCE = 1_000;
/** What nobody has announced for so long may be gone. */
const STALE_MS = 3_600_000;
/** A pattern's subscribers are heard of far more often. */
const SILENT_MS = 60_000;

/** A topic of the directory, and when it was last announced, on the server's clock. */
export interface ListedTopic {
  readonly topic: string;
  readonly announcedMs: number;
}

/** A pattern as one group subscribes to it. */
export interface GroupPattern {
  readonly group: string;
  readonly pattern: string;
}

/**
 * What Redis knows of the topics that are kept in streams, so that patterns can be subscribed. What others wrote there is
 * input: whatever is no topic is passed over.
 */
export class TopicDirectory {
  constructor(
    private readonly connection: StreamConnection,
    private readonly keys: StreamKeys,
  ) {}

  /** Lists topics and tells their subscribers. Repeated until Redis answers, or nobody wants it any more. */
  async announce(topics: readonly string[], wanted?: () => boolean): Promise<void> {
    const args = [this.keys.topicNews, STALE_MS, ...topics];
    const stale = await persist(
      this.connection,
      (client) => announceTopics.run(client, [this.keys.topics], args),
      wanted,
    );
    this.tidy(pairs(stale as string[])).catch(() => undefined);
  }

  /** All that are listed, in no order. */
  async list(): Promise<ListedTopic[]> {
    const found = new Map<string, number>();
    let cursor = '0';
    do {
      const from = cursor;
      const scan = (client: Redis | Cluster) => client.zscan(this.keys.topics, from, 'COUNT', LISTED_AT_ONCE);
      const [next, page] = await persist(this.connection, scan);
      for (const { topic, announcedMs } of pairs(page)) if (isTopic(topic)) found.set(topic, announcedMs);
      cursor = next;
    } while (cursor !== '0');
    // It is used, and so kept.
    await persist(this.connection, (client) => client.pexpire(this.keys.topics, LISTS_KEPT_MS));
    return Array.from(found, ([topic, announcedMs]) => ({ topic, announcedMs }));
  }

  /** Those among `topics` that are there; the others are struck off. */
  async existing(topics: readonly ListedTopic[], nowMs: number): Promise<string[]> {
    const stale = topics.filter(({ announcedMs }) => nowMs - announcedMs > STALE_MS);
    const gone = new Set(await this.tidy(stale));
    return topics.map(({ topic }) => topic).filter((topic) => !gone.has(topic));
  }

  /** Notes that patterns are subscribed. Returns the server's clock. */
  async hear(patterns: readonly GroupPattern[]): Promise<number> {
    const [now] = await this.askPatterns(1, patterns);
    return Number(now);
  }

  /** The server's clock, and whether the pattern was noted before. */
  async begin(pattern: GroupPattern, wanted: () => boolean): Promise<{ nowMs: number; known: boolean }> {
    const [now, known] = await this.askPatterns(0, [pattern], wanted);
    return { nowMs: Number(now), known: known === 1 };
  }

  /** Whether somebody of the group may be subscribed to a pattern that means `topic`. */
  async hasPatternFor(topic: string, group: string): Promise<boolean> {
    const live = (await this.connection.run((client) =>
      livePatterns.run(client, [this.keys.patterns], [SILENT_MS]),
    )) as string[];
    return live.some((name) => {
      const [of, pattern = ''] = name.split(' ', 2);
      return of === group && topicMatcher(pattern)(topic);
    });
  }

  private async askPatterns(
    notes: 0 | 1,
    patterns: readonly GroupPattern[],
    wanted?: () => boolean,
  ): Promise<readonly (string | number)[]> {
    const args = [notes, ...patterns.map(({ group, pattern }) => `${group} ${pattern}`)];
    const ask = (client: Redis | Cluster) => hearPatterns.run(client, [this.keys.patterns], args);
    return (await persist(this.connection, ask, wanted)) as (string | number)[];
  }

  /** Returns the topics that are gone. */
  private async tidy(stale: readonly ListedTopic[]): Promise<string[]> {
    if (stale.length === 0) return [];
    const exists = ({ topic }: ListedTopic) =>
      this.connection.run((client) => client.exists(this.keys.topic(topic).stream));
    const there = await Promise.all(stale.map(exists));
    const args = stale.flatMap(({ topic, announcedMs }, index) => [topic, announcedMs, there[index]]);
    await this.connection.run((client) => tidyTopics.run(client, [this.keys.topics], args));
    return stale.filter((_, index) => there[index] === 0).map(({ topic }) => topic);
  }
}

function pairs(flat: readonly string[]): ListedTopic[] {
  const listed: ListedTopic[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    listed.push({ topic: flat[index], announcedMs: Number(flat[index + 1]) });
  }
  return listed;
}
