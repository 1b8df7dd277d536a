import { randomUUID } from 'node:crypto';
import { type GroupInspection, liveMembers, type TopicInspection } from '../../driver/inspection.js';
import { offersWatchTurns } from '../../driver/watch-turns.js';
import { isTopicPattern, topicMatcher } from '../../message/topic-pattern.js';
import type { GroupMetrics, GroupNumbers } from '../../metrics/metrics.js';
import { atOnce } from '../../timing/at-once.js';
import { type ClockTimer, unref } from '../../timing/clock.js';
import { errorFields, errorLine } from '../options/bus-logger.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Inspector } from './inspector.js';
import { inspectEach, namesOfTopics } from './many-topics.js';

/** A turn lasts so many intervals, so that one late reading does not end it. */
const LEASE_INTERVALS = 2.5;
/** A reading that takes long, as of a pattern with many topics, is repeated no sooner than after so many times as long. */
const REST = 20;
/** Topics and patterns that are looked at side by side. */
const AT_ONCE = 20;

/** A group that this process reads: of a topic, or of the topics of a pattern. */
export interface WatchedGroup {
  readonly topic: string;
  readonly group: string;
}

/** What a {@link GroupWatch} works with. */
export interface GroupWatchDeps
  extends Pick<ResolvedOptions, 'engine' | 'metrics' | 'labels' | 'logger' | 'clock'> {
  readonly inspect: Inspector;
  readonly connected: () => boolean;
  /** What this process reads at least once. */
  readonly groups: () => readonly WatchedGroup[];
}

/** A topic or pattern, and its groups that this process reads. */
interface Watched {
  readonly groups: Map<string, GroupMetrics>;
  /** Not asked before, on the monotonic clock. */
  dueMs: number;
  /** How often it is read; longer than the interval where a reading takes long. */
  everyMs: number;
  /** This process tells the numbers. */
  told: boolean;
}

/**
 * Reads the numbers of the groups that this process reads for its metrics, every `intervalMs`. One process reads each topic or
 * pattern for all processes, and keeps doing so while it can; the others tell nothing of it.
 */
export class GroupWatch {
  private readonly watcher = randomUUID();
  private readonly watched = new Map<string, Watched>();
  private timer: ClockTimer | undefined;
  private closed = false;
  private failing = false;

  constructor(
    private readonly deps: GroupWatchDeps,
    private readonly intervalMs: number,
  ) {}

  /** Reads now, and again and again. Does nothing where the driver cannot tell. */
  start(): void {
    if (!this.closed && this.timer === undefined && this.deps.inspect.available) this.within(0);
  }

  /** Tells nothing any more, and lets others have their turn. Never rejects. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const { clock, engine, connected } = this.deps;
    clock.clearTimeout(this.timer);
    const mine = [...this.watched].filter(([, { told }]) => told);
    for (const [, watched] of this.watched) this.forget(watched);
    if (!offersWatchTurns(engine) || !connected()) return;
    await atOnce(mine, AT_ONCE, ([what]) => engine.leaveWatch(what, this.watcher)).catch(() => undefined);
  }

  private within(delayMs: number): void {
    if (this.closed) return;
    this.timer = unref(this.deps.clock.setTimeout(() => void this.look(), delayMs));
  }

  private async look(): Promise<void> {
    const startedMs = this.deps.clock.monotonic();
    try {
      this.takeNote();
      if (this.deps.connected()) await this.lookAtDue(startedMs);
      else for (const watched of this.watched.values()) this.forget(watched);
      this.failing = false;
    } catch (error) {
      this.tellFailure(error);
    }
    this.within(Math.max(0, startedMs + this.intervalMs - this.deps.clock.monotonic()));
  }

  private async lookAtDue(nowMs: number): Promise<void> {
    const due = [...this.watched].filter(([, { dueMs }]) => dueMs <= nowMs);
    const failures: unknown[] = [];
    await atOnce(due, AT_ONCE, async ([what, watched]) => {
      try {
        await this.lookAt(what, watched);
      } catch (error) {
        // Numbers that may be old are none.
        this.forget(watched);
        failures.push(error);
      }
    });
    if (failures.length > 0) throw failures[0];
  }

  private async lookAt(what: string, watched: Watched): Promise<void> {
    const { clock } = this.deps;
    const startedMs = clock.monotonic();
    if (!(await this.hasTurn(what, watched))) return;
    await this.read(what, watched);
    const beforeMs = watched.everyMs;
    watched.everyMs = Math.max(this.intervalMs, (clock.monotonic() - startedMs) * REST);
    // Due with the look that comes next, where it may be read as often.
    watched.dueMs = startedMs + watched.everyMs - this.intervalMs / 2;
    // The turn would be over before the next reading: another process told its numbers beside these, which grow old.
    if (watched.everyMs > beforeMs && !this.closed) await this.hasTurn(what, watched);
  }

  /** Takes or keeps the turn. While it is another process's, nothing is told. */
  private async hasTurn(what: string, watched: Watched): Promise<boolean> {
    const othersMs = await this.takeTurn(what, watched);
    if (othersMs <= 0) return true;
    watched.dueMs = this.deps.clock.monotonic() + othersMs;
    this.forget(watched);
    return false;
  }

  /** 0 when it is this process's turn. */
  private async takeTurn(what: string, { everyMs }: Watched): Promise<number> {
    const { engine } = this.deps;
    if (!offersWatchTurns(engine)) return 0;
    return engine.takeWatch(what, this.watcher, Math.ceil(everyMs * LEASE_INTERVALS));
  }

  private async read(what: string, watched: Watched): Promise<void> {
    const { inspect } = this.deps;
    const topics = isTopicPattern(what) ? await namesOfTopics(inspect, topicMatcher(what)) : [what];
    const found = await inspectEach(inspect, topics);
    if (this.closed) return;
    watched.told = true;
    for (const [group, metrics] of watched.groups) metrics.set(numbersOf(group, found));
  }

  /** Subscriptions come and go. What shares its label with others has no numbers of its own. */
  private takeNote(): void {
    const { groups, labels, metrics } = this.deps;
    const wanted = new Map<string, Set<string>>();
    for (const { topic, group } of groups()) {
      if (labels.known(topic) !== topic) continue;
      wanted.set(topic, (wanted.get(topic) ?? new Set()).add(group));
    }
    for (const [topic, watched] of this.watched) {
      for (const [group, own] of watched.groups) {
        if (wanted.get(topic)?.has(group)) continue;
        own.set(undefined);
        watched.groups.delete(group);
      }
      if (watched.groups.size === 0) this.watched.delete(topic);
    }
    for (const [topic, names] of wanted) {
      const watched = this.watched.get(topic) ?? {
        groups: new Map(),
        dueMs: 0,
        everyMs: this.intervalMs,
        told: false,
      };
      for (const group of names) {
        if (!watched.groups.has(group)) watched.groups.set(group, metrics.group(topic, group));
      }
      this.watched.set(topic, watched);
    }
  }

  private forget(watched: Watched): void {
    watched.told = false;
    for (const metrics of watched.groups.values()) metrics.set(undefined);
  }

  /** Once, until it goes well again. */
  private tellFailure(error: unknown): void {
    if (this.failing || this.closed || !this.deps.connected()) return;
    this.failing = true;
    this.deps.logger.warn(`The metrics of groups cannot be read: ${errorLine(error)}`, {
      event: 'groups-not-read',
      ...errorFields(error),
    });
  }
}

/** The numbers of a group over these topics. */
function numbersOf(group: string, topics: readonly TopicInspection[]): GroupNumbers {
  const found = topics.flatMap(({ at, groups }) =>
    groups.filter((each) => each.group === group).map((each) => ({ at, ...each })),
  );
  const sum = (read: (each: GroupInspection) => number) =>
    found.reduce((total, each) => total + read(each), 0);
  const most = (values: number[]) => Math.max(0, ...values);
  return {
    waiting: sum(({ waiting }) => waiting),
    held: sum(({ held }) => held),
    running: sum(({ running }) => running),
    retrying: sum(({ retries }) => retries),
    deadLetters: sum(({ deadLetters }) => deadLetters.messages),
    members: most(found.map((group) => liveMembers(group, group.at).length)),
    oldestSeconds: most(found.map(({ at, oldestUnhandledAt = at }) => (at - oldestUnhandledAt) / 1_000)),
    paused: found.some(({ paused }) => paused),
  };
}
