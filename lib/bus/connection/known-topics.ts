import { isSameUse, type TopicDissent, type TopicUse } from '../../driver/topic-agreements.js';
import { TopicConflictError } from '../../errors/bus.errors.js';

/** The server remembers a use for so long. */
export const HOLD_MS = 120_000;
/** A use that goes on is told again after so long. */
export const RENEW_MS = 40_000;
/** Topics that are published only are remembered up to so many. */
const KNOWN_TOPICS = 10_000;

/** A topic that nobody has contradicted. */
export interface KnownTopic {
  readonly use: TopicUse;
  /** Those of this bus that are live. */
  subscriptions: number;
  published: boolean;
  /** It is to be told again from then on. */
  renewMs: number;
  /** It does not count any more from then on. */
  untilMs: number;
}

/** The topics that nobody has contradicted, by how this bus uses them. */
export class KnownTopics {
  private readonly topics = new Map<string, KnownTopic>();

  get size(): number {
    return this.topics.size;
  }

  get names(): readonly string[] {
    return [...this.topics.keys()];
  }

  has(topic: string): boolean {
    return this.topics.has(topic);
  }

  get(topic: string): KnownTopic | undefined {
    return this.topics.get(topic);
  }

  delete(topic: string): void {
    this.topics.delete(topic);
  }

  clear(): void {
    this.topics.clear();
  }

  /** Those that a subscription reads. */
  read(): readonly (readonly [topic: string, known: KnownTopic])[] {
    return [...this.topics].filter(([, { subscriptions }]) => subscriptions > 0);
  }

  /** Nobody contradicted `use` when that was asked. The server forgets by itself what is published only. */
  remember(topic: string, use: TopicUse, askedMs: number, published: boolean): void {
    const times = { renewMs: askedMs + RENEW_MS, untilMs: askedMs + HOLD_MS };
    const known = this.topics.get(topic);
    if (known && isSameUse(known.use, use)) {
      Object.assign(known, times);
      return;
    }
    if (this.topics.size >= KNOWN_TOPICS) {
      for (const [name, { subscriptions }] of this.topics) if (subscriptions === 0) this.topics.delete(name);
    }
    this.topics.set(topic, { use, subscriptions: 0, published, ...times });
  }

  /** One more subscription reads `topic`. */
  join(topic: string, use: TopicUse): KnownTopic {
    let known = this.topics.get(topic);
    if (known === undefined || !isSameUse(known.use, use)) {
      known = { use, subscriptions: 0, published: false, renewMs: 0, untilMs: 0 };
      this.topics.set(topic, known);
    }
    known.subscriptions++;
    return known;
  }

  /** One subscription fewer. True where `topic` is not used any more. */
  leave(topic: string, known: KnownTopic): boolean {
    known.subscriptions--;
    if (known.subscriptions > 0 || known.published || this.topics.get(topic) !== known) return false;
    return this.topics.delete(topic);
  }
}

/** What is thrown where `other` contradicts. */
export function conflict(topic: string, use: TopicUse, by: string, other: TopicDissent): TopicConflictError {
  const others = other.by.join(', ');
  return new TopicConflictError(
    `"${topic}" is used ${told(other)} by ${others}, and ${told(use)} by ${by}: both must say the same of delivery and wire`,
    topic,
  );
}

function told({ delivery, bare }: TopicUse): string {
  return `${delivery === 'at-least-once' ? 'at least once' : 'at most once'}${bare ? " on the wire 'go'" : ''}`;
}
