import { isSameUse, type TopicDissent, type TopicUse } from '../../driver/topic-agreements.js';
import type { Clock } from '../../timing/clock.js';
import type { TopicLogs } from './topic-logs.js';

/** How one topic is used. Those that agree are all of one kind. */
interface Agreement {
  readonly use: TopicUse;
  /** Who, and until when. */
  readonly users: Map<string, number>;
}

/** So many of the users are named. */
const NAMED = 5;
/** From so many topics on, those that nobody uses any more are looked for. */
const SWEPT = 1_000;

/** Who uses which topic how. */
export class TopicUses {
  private readonly agreements = new Map<string, Agreement>();
  private sweepAt = SWEPT;

  constructor(
    private readonly logs: TopicLogs,
    private readonly clock: Clock,
  ) {}

  /** As a driver's `agreeOn`. */
  agreeOn(topic: string, use: TopicUse, by: string, holdMs: number): TopicDissent | undefined {
    const nowMs = this.clock.monotonic();
    const present = this.present(topic, nowMs);
    if (present && !isSameUse(present.use, use))
      return { ...present.use, by: [...present.users.keys()].slice(0, NAMED) };
    const stored = use.delivery === 'at-most-once' ? this.storedUse(topic) : undefined;
    if (stored || holdMs <= 0) return stored;
    const agreement = present ?? { use, users: new Map() };
    agreement.users.set(by, nowMs + holdMs);
    this.agreements.set(topic, agreement);
    if (this.agreements.size >= this.sweepAt) this.sweep(nowMs);
    return undefined;
  }

  release(topics: readonly string[], by: string): void {
    for (const topic of topics) this.agreements.get(topic)?.users.delete(by);
  }

  /** The agreement on a topic, if anybody keeps to it still. */
  private present(topic: string, nowMs: number): Agreement | undefined {
    const agreement = this.agreements.get(topic);
    if (!agreement) return undefined;
    for (const [by, untilMs] of agreement.users) if (untilMs <= nowMs) agreement.users.delete(by);
    if (agreement.users.size > 0) return agreement;
    this.agreements.delete(topic);
    return undefined;
  }

  private storedUse(topic: string): TopicDissent | undefined {
    const log = this.logs.find(topic);
    const groups = log?.groupNames.slice(0, NAMED).map((name) => `the group ${name}`) ?? [];
    const by = groups.length === 0 && log?.length ? [`${log.length} stored messages`] : groups;
    return by.length === 0 ? undefined : { delivery: 'at-least-once', by };
  }

  private sweep(nowMs: number): void {
    for (const topic of this.agreements.keys()) this.present(topic, nowMs);
    this.sweepAt = Math.max(SWEPT, this.agreements.size * 2);
  }
}
