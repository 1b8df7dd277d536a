import type { DriverSubscribeOptions, DriverSubscription } from '../../../../driver/driver.js';
import { type DiscoBusError, isDiscoBusError } from '../../../../errors/disco-bus-error.js';
import { type TopicMatcher, topicMatcher } from '../../../../message/topic-pattern.js';
import { toDriverError } from '../../redis-error.js';
import type { TopicWatcher } from './topic-watch.js';

/** Topics that are joined at a time. */
const JOINED_AT_ONCE = 64;

/** What a {@link PatternSubscription} works with. */
export interface PatternSetup {
  readonly pattern: string;
  readonly group: string;
  /** Subscribes to one topic, within the places that all topics share. */
  subscribe(topic: string, startFrom: DriverSubscribeOptions['startFrom']): Promise<DriverSubscription>;
  /** A topic cannot be read; told once for each. */
  failed(error: DiscoBusError): void;
  onClose(self: PatternSubscription): void;
}

/** One subscription to all topics that a pattern means, also to those that come later. */
export class PatternSubscription implements DriverSubscription, TopicWatcher {
  readonly pattern: string;
  readonly group: string;
  private readonly matches: TopicMatcher;
  private readonly topics = new Map<string, Promise<DriverSubscription>>();
  private readonly live = new Set<DriverSubscription>();
  private readonly refused = new Set<string>();
  /** The topics that were there first are joined. */
  private begun = false;
  private paused = false;
  private closing: Promise<void> | undefined;

  constructor(private readonly setup: PatternSetup) {
    this.pattern = setup.pattern;
    this.group = setup.group;
    this.matches = topicMatcher(setup.pattern);
  }

  lacks(topic: string): boolean {
    return this.closing === undefined && !this.topics.has(topic) && this.matches(topic);
  }

  async begin(topics: readonly string[], startFrom: DriverSubscribeOptions['startFrom']): Promise<void> {
    await this.join(topics, startFrom);
    this.begun = true;
  }

  /** Those that cannot be read are tried again when they are found again. */
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

  private async join(
    topics: readonly string[],
    startFrom: DriverSubscribeOptions['startFrom'],
  ): Promise<void> {
    const lacking = topics.filter((topic) => this.lacks(topic));
    for (let at = 0; at < lacking.length; at += JOINED_AT_ONCE) {
      await Promise.all(
        lacking.slice(at, at + JOINED_AT_ONCE).map((topic) => this.joinOne(topic, startFrom)),
      );
    }
  }

  private async joinOne(topic: string, startFrom: DriverSubscribeOptions['startFrom']): Promise<void> {
    if (!this.lacks(topic)) return;
    const joining = this.setup.subscribe(topic, startFrom);
    this.topics.set(topic, joining);
    try {
      const subscription = await joining;
      this.live.add(subscription);
      this.refused.delete(topic);
      if (this.paused) subscription.pause();
    } catch (error) {
      this.topics.delete(topic);
      if (!this.begun && isDiscoBusError(error, 'DISCO_NOT_CONNECTED')) throw error;
      this.tell(topic, error);
    }
  }

  private tell(topic: string, error: unknown): void {
    if (this.closing !== undefined || this.refused.has(topic) || isDiscoBusError(error, 'DISCO_CLOSED'))
      return;
    this.refused.add(topic);
    this.setup.failed(toDriverError(error));
  }

  private async end(): Promise<void> {
    this.setup.onClose(this);
    const closing = Array.from(this.live, (subscription) => subscription.close());
    // Those that are being joined are closed as soon as they can be.
    const joined = await Promise.all(Array.from(this.topics.values(), (each) => each.catch(() => undefined)));
    await Promise.all([...closing, ...joined.map((subscription) => subscription?.close())]);
  }
}
