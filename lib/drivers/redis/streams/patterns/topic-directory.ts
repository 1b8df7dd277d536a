import type { TopicDissent, TopicUse } from '../../../../driver/topic-agreements.js';
import { isTopic } from '../../../../message/topic.js';
import { topicMatcher } from '../../../../message/topic-pattern.js';
import { LISTS_KEPT_MS } from '../scripts/shared-lua.js';
import {
  agreementScript,
  announceScript,
  hearPatternsScript,
  listChannelScript,
  livePatternsScript,
  tidyScript,
} from '../scripts/topic-scripts.js';
import { persist, persistFor, type StreamClient, type StreamConnection } from '../stream-connection.js';
import type { StreamContext } from '../stream-context.js';
import type { StreamKeys } from '../stream-keys.js';
import { StreamScript } from '../stream-script.js';

const announceTopics = new StreamScript(announceScript);
const tidyTopics = new StreamScript(tidyScript);
const hearPatterns = new StreamScript(hearPatternsScript);
const livePatterns = new StreamScript(livePatternsScript);
const agreement = new StreamScript(agreementScript);
const listChannel = new StreamScript(listChannelScript);

/** Names fetched in one call. */
const LISTED_AT_ONCE = 1_000;
/** A topic that nobody has announced for this long may be gone. */
const STALE_MS = 3_600_000;
/** Subscribers of a pattern note it far more often. */
const SILENT_MS = 60_000;
/** A publisher announces a topic in use again after this time, in case the directory was lost. */
const AGAIN_MS = 30_000;
/** How a use is written: the scripts compare the letters. */
export const letters = { least: 'L', most: 'M', bare: 'B' } as const;
/** A Cluster client is connected within this time, or the question how a topic is used fails. */
const CLUSTER_READY_MS = 2_000;
/** Topics that are released in one turn. */
const RELEASED_TOGETHER = 1_000;

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

/** The topics that are kept in streams, so that patterns can be subscribed. Names in it that are no topics are passed over. */
export class TopicDirectory {
  constructor(
    private readonly keys: StreamKeys,
    private readonly connection: StreamConnection,
  ) {}

  /** Lists topics and publishes the new ones. Repeated until Redis answers, or `wanted` is false. */
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
      const scan = (client: StreamClient) => client.zscan(this.keys.topics, from, 'COUNT', LISTED_AT_ONCE);
      const [next, page] = await persist(this.connection, scan);
      for (const { topic, announcedMs } of pairs(page)) if (isTopic(topic)) found.set(topic, announcedMs);
      cursor = next;
    } while (cursor !== '0');
    // Its use extends its life.
    await persist(this.connection, (client) => client.pexpire(this.keys.topics, LISTS_KEPT_MS));
    return Array.from(found, ([topic, announcedMs]) => ({ topic, announcedMs }));
  }

  /** The topics among these whose stream is there; the others are struck off. */
  async existing(topics: readonly ListedTopic[], nowMs: number): Promise<string[]> {
    const stale = topics.filter(({ announcedMs }) => nowMs - announcedMs > STALE_MS);
    const gone = new Set(await this.tidy(stale));
    return topics.map(({ topic }) => topic).filter((topic) => !gone.has(topic));
  }

  /** Notes that patterns are subscribed. Resolves with the server's clock. */
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
    const ask = (client: StreamClient) => hearPatterns.run(client, [this.keys.patterns], args);
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

/** The topics that one publisher has announced lately. */
export class TopicAnnouncements {
  private readonly announced = new Set<string>();
  private sinceMs = performance.now();

  constructor(private readonly directory: TopicDirectory) {}

  /** The topics among these that are to be announced before anything is stored for them. */
  due(messages: readonly { readonly topic: string }[]): string[] {
    if (performance.now() - this.sinceMs > AGAIN_MS) {
      this.announced.clear();
      this.sinceMs = performance.now();
    }
    const due = new Set<string>();
    let last: string | undefined;
    for (const { topic } of messages) {
      if (topic !== last && !this.announced.has(topic)) due.add(topic);
      last = topic;
    }
    return [...due];
  }

  /** Rejects when Redis refuses, or cannot be reached while `wanted`. */
  async announce(topics: readonly string[], wanted: () => boolean): Promise<void> {
    await this.directory.announce(topics, wanted);
    for (const topic of topics) this.announced.add(topic);
  }
}

/** Notes how `by` uses a topic, for `holdMs`, unless others use it otherwise. @see TopicAgreements.agreeOn */
export async function agreeOnTopic(
  { clustered, keys: names, publish, rights }: StreamContext,
  topic: string,
  { use, by, holdMs }: { readonly use: TopicUse; readonly by: string; readonly holdMs: number },
): Promise<TopicDissent | undefined> {
  const keys = [names.uses(topic), names.topic(topic).stream];
  const args = [letterOf(use), by, Math.ceil(holdMs)];
  const ask = rights.before('agreements', keys, (client) => agreement.run(client, keys, args));
  // The client of a Cluster is made with the first question.
  const run = (command: typeof ask) =>
    clustered ? persistFor(publish, command, CLUSTER_READY_MS) : publish.run(command);
  const others = (await run(ask)) as string[];
  if (others.length === 0 && use.delivery === 'at-most-once' && holdMs > 0) {
    // By itself, as the list may be on another node. Nobody waits for it: whoever goes on using the topic lists it again.
    const list = (client: StreamClient) =>
      listChannel.run(client, [names.channelTopics], [topic, Math.ceil(holdMs)]);
    run(list).catch(() => undefined);
  }
  return others.length === 0 ? undefined : dissent(others);
}

/** @see TopicAgreements.releaseTopics */
export async function releaseTopics(
  { keys, publish }: StreamContext,
  topics: readonly string[],
  by: string,
): Promise<void> {
  const members = Object.values(letters).map((letter) => `${letter} ${by}`);
  for (let index = 0; index < topics.length; index += RELEASED_TOGETHER) {
    const some = topics.slice(index, index + RELEASED_TOGETHER).map((topic) => keys.uses(topic));
    await publish.run((client) => Promise.all(some.map((key) => client.zrem(key, ...members))));
  }
}

function letterOf({ delivery, bare }: TopicUse): string {
  if (delivery === 'at-least-once') return letters.least;
  return bare ? letters.bare : letters.most;
}

function dissent(others: readonly string[]): TopicDissent {
  const [letter] = others[0];
  return {
    delivery: letter === letters.least ? 'at-least-once' : 'at-most-once',
    bare: letter === letters.bare,
    by: others.map((other) => other.slice(2)),
  };
}

function pairs(flat: readonly string[]): ListedTopic[] {
  const listed: ListedTopic[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    listed.push({ topic: flat[index], announcedMs: Number(flat[index + 1]) });
  }
  return listed;
}
