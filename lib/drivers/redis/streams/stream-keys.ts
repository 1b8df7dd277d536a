import { ConfigurationError } from '../../../errors/bus.errors.js';
import { TopicInvalidError } from '../../../errors/message.errors.js';
import { topicGrammar } from '../../../message/topic.js';

/** The keys of a topic and its groups. All keys of one topic share a hash slot: `disco:{orders}`, `disco:{orders}:dead:billing` … */
export class StreamKeys {
  /** A sorted set: topics by when they were announced; kept for 30 days after its last use. No topic's own key looks like it. */
  readonly topics: string;
  /** A hash: `group pattern` by when its subscribers last noted it; kept for 30 days as well. */
  readonly patterns: string;
  /** A sorted set: topics that are used at most once, by until when; gone two minutes after the last of them was used. */
  readonly channelTopics: string;
  /** The channel where topics are announced; topics of that name are reserved. */
  readonly topicNews: string;
  /** A stream: what operators did. */
  readonly audit: string;
  private readonly head: string;

  constructor(prefix: string) {
    this.head = prefix === '' ? '' : `${prefix}:`;
    this.topics = `${this.head}stream-topics`;
    this.channelTopics = `${this.head}channel-topics`;
    this.patterns = `${this.head}stream-patterns`;
    this.audit = `${this.head}audit`;
    this.topicNews = `${this.head}disco:stream-topics`;
  }

  /** The topic that a stream's key is for. */
  topicOf(stream: string): string {
    return stream.slice(this.head.length + 1, -1);
  }

  topic(topic: string): TopicKeys {
    return topicKeys(`${this.head}{${topic}}`);
  }

  /** A sorted set: who uses the topic, and how, by until when. */
  uses(topic: string): string {
    return `${this.head}{${topic}}:uses`;
  }

  /** The log of a publisher, by which a repeated batch is recognized; in the slot of `topic` where one is named. */
  sent(publisher: string, topic?: string): string {
    return topic === undefined ? `${this.head}sent:${publisher}` : `${this.head}{${topic}}:sent:${publisher}`;
  }

  /** The name of the process that watches something for all, while its turn lasts. */
  watch(what: string): string {
    return `${this.head}watch:${what}`;
  }

  /** A stream by which the blocking reads of a consumer for a group are ended. */
  wake(consumer: string, group: string): string {
    return `${this.head}wake:${consumer}:${group}`;
  }

  group(topic: string, group: string): GroupKeys {
    const stream = `${this.head}{${topic}}`;
    return {
      ...topicKeys(stream),
      retry: `${stream}:retry:${group}`,
      delayed: `${stream}:delayed:${group}`,
      bodies: `${stream}:delayed-bodies:${group}`,
      dead: `${stream}:dead:${group}`,
      parts: `${stream}:parts:${group}`,
      members: `${stream}:members:${group}`,
      state: `${stream}:state:${group}`,
    };
  }
}

/** The keys of a topic that no group owns. */
export interface TopicKeys {
  readonly stream: string;
  /** A hash: how many messages the stream has had, and up to which id and total that is known. */
  readonly counts: string;
  /** Delayed publishes by the time they are due, and their fields. */
  readonly later: string;
  readonly laterBodies: string;
  /** `<dedup><id>` remembers where the message of that id was stored. */
  readonly dedup: string;
}

/** The keys of one group of a topic. */
export interface GroupKeys extends TopicKeys {
  /** A stream of the group's own: what comes back is read from it like everything else. */
  readonly retry: string;
  /** Retries by the time they are due, and their fields. */
  readonly delayed: string;
  readonly bodies: string;
  readonly dead: string;
  /** A hash: which parts of a bundle are settled. */
  readonly parts: string;
  /** Consumers by the time until which they count as alive; kept for a day after that. */
  readonly members: string;
  /** A hash: the checkpoint, the last upkeep, and what each consumer runs, how many messages the retry stream and the dead letters have. */
  readonly state: string;
}

function topicKeys(stream: string): TopicKeys {
  return {
    stream,
    counts: `${stream}:counts`,
    later: `${stream}:later`,
    laterBodies: `${stream}:later-bodies`,
    dedup: `${stream}:dedup:`,
  };
}

/** Throws TopicInvalidError for what no stream is named after; the bus's own topics are allowed. */
export function assertTopic(topic: string): void {
  if (!topicGrammar.test(topic)) throw new TopicInvalidError('That is not a topic');
}

/** Throws ConfigurationError for what no group can be called. */
export function assertGroup(group: unknown): void {
  if (typeof group === 'string' && /^[\x21-\x7e]{1,200}$/.test(group)) return;
  throw new ConfigurationError('A group must have 1 to 200 printable ASCII characters and no space');
}
