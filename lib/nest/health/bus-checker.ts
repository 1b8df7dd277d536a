import { inspectEach, namesOfTopics } from '../../bus/operate/many-topics.js';
import { errorLine } from '../../bus/options/bus-logger.js';
import type { GroupInspection, TopicInspection } from '../../driver/inspection.js';
import { isTopicPattern, topicMatcher } from '../../message/topic-pattern.js';
import type { BusEntry } from '../bus-registry.js';
import { BusReadiness } from './bus-readiness.js';
import type { Limits, ResolvedHealthOptions } from './health-options.js';
import type { GroupHealth, HealthProblem, HealthStatus, ServerHealth } from './health-report.js';

/** Topics of patterns that are looked at, the first by name. */
const MOST = 1_000;

/** How one bus is, and the groups that are looked at. */
export class BusChecker {
  private readonly readiness: BusReadiness;
  private readonly problems: HealthProblem[];
  private groups: GroupHealth[] = [];
  private roundTripMs: number | undefined;

  constructor(
    private readonly entry: BusEntry,
    private readonly options: ResolvedHealthOptions,
  ) {
    this.readiness = new BusReadiness(entry, options);
    this.problems = this.readiness.problems();
  }

  /** Never rejects, and takes no longer than `timeout`. */
  async check(): Promise<{ bus: ServerHealth; problems: readonly HealthProblem[] }> {
    const { service } = this.entry;
    if (service.bus?.connected) await this.inTime(Promise.all([this.ping(), this.look()]));
    const { roundTripMs, groups } = this;
    const answered = roundTripMs === undefined ? {} : { roundTripMs };
    // A copy: what is still under way may come to its end later.
    return {
      bus: { ...this.readiness.bus(), ...answered, groups: [...groups] },
      problems: [...this.problems],
    };
  }

  private async inTime(work: Promise<unknown>): Promise<void> {
    const { timeoutMs } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([work, late]);
    } catch (error) {
      this.add('no-answer', 'down', `the server has not answered: ${errorLine(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  private async ping(): Promise<void> {
    const startedMs = performance.now();
    await this.entry.service.ping();
    const tookMs = performance.now() - startedMs;
    this.roundTripMs = Math.round(tookMs * 100) / 100;
    const status = statusAt(tookMs, this.options.limits.roundTrip);
    this.add('round-trip', status, `the server took ${this.roundTripMs} ms to answer`);
  }

  private async look(): Promise<void> {
    const found =
      this.options.topics === undefined ? await this.ownGroups() : await this.named(this.options.topics);
    this.groups = found.map(({ topic, group }) => groupHealth(topic, group));
    for (const each of this.groups) this.judge(each);
  }

  private judge({ topic, group, waiting, oldestMs = 0, deadLetters }: GroupHealth): void {
    const { limits } = this.options;
    const where = { topic, group };
    const of = `the group "${group}" of "${topic}"`;
    const add = (problem: HealthProblem['problem'], status: HealthStatus, text: string) =>
      this.add(problem, status, text, where);
    add('waiting', statusAt(waiting, limits.waiting), `${waiting} messages wait for ${of}`);
    add('oldest', statusAt(oldestMs, limits.oldest), `the oldest message of ${of} is ${oldestMs} ms old`);
    add('dead-letters', statusAt(deadLetters, limits.deadLetters), `${of} has ${deadLetters} dead letters`);
  }

  /** Nothing for what is `up`. */
  private add(
    problem: HealthProblem['problem'],
    status: HealthStatus,
    text: string,
    where: { topic?: string; group?: string } = {},
  ): void {
    if (status !== 'up') this.problems.push({ bus: this.entry.name, problem, status, text, ...where });
  }

  private async named(topics: readonly string[]) {
    const found = await inspectEach(this.entry.service.inspect, topics);
    return found.flatMap((topic) => topic.groups.map((group) => ({ topic, group })));
  }

  /** The groups that this process reads, those of its topic patterns included. */
  private async ownGroups() {
    const stored = (this.entry.service.bus?.subscriptions ?? []).filter(
      ({ group, own }) => group !== undefined && !own,
    );
    const { inspect } = this.entry.service;
    if (stored.length === 0 || !inspect.available) return [];
    const [patterns, exact] = [true, false].map((pattern) =>
      stored.map(({ topic }) => topic).filter((topic) => isTopicPattern(topic) === pattern),
    );
    const names = new Set(exact);
    if (patterns.length > 0) {
      const matchers = patterns.map(topicMatcher);
      const matching = await namesOfTopics(inspect, (name) => matchers.some((matches) => matches(name)));
      for (const name of matching.filter((each) => !names.has(each)).slice(0, MOST)) names.add(name);
    }
    const found = await inspectEach(inspect, [...names]);
    return found.flatMap((topic) =>
      topic.groups
        .filter(({ group }) =>
          stored.some((each) => each.group === group && topicMatcher(each.topic)(topic.topic)),
        )
        .map((group) => ({ topic, group })),
    );
  }
}

function statusAt(value: number, { degraded, down }: Limits): HealthStatus {
  if (value >= down) return 'down';
  return value >= degraded ? 'degraded' : 'up';
}

function groupHealth({ topic, at }: TopicInspection, found: GroupInspection): GroupHealth {
  const { group, waiting, held, running, retries, deadLetters, oldestUnhandledAt, paused } = found;
  return {
    topic,
    group,
    waiting,
    held,
    running,
    retries,
    deadLetters: deadLetters.messages,
    ...(oldestUnhandledAt !== undefined && { oldestMs: Math.max(0, at - oldestUnhandledAt) }),
    paused,
  };
}
