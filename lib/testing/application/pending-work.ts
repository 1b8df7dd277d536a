import { testAccess } from '../../bus/test-access.js';
import type { GroupInspection, TopicInspection } from '../../driver/inspection.js';
import { isTopicPattern, topicMatcher } from '../../message/topic-pattern.js';
import type { WitnessedBus } from './witnessed-bus.js';

/** Topics that are looked at for one pattern. */
const TOPICS_AT_A_TIME = 1_000;

/** What a bus still has to do, in words; an empty list where that is nothing. `withinMs`: what is due by then counts as well. */
export async function pendingWork(bus: WitnessedBus, withinMs: number): Promise<string[]> {
  const found = [
    ...[...bus.publishing].map(([topic, count]) => `${count} published to "${topic}", not accepted yet`),
    ...[...bus.running].map(([handler, count]) => `${handler} runs${count > 1 ? `, ${count} times` : ''}`),
  ];
  const { pendingRequests } = testAccess(bus.service.bus);
  if (pendingRequests > 0) found.push(`requests without a reply: ${pendingRequests}`);
  if (!bus.service.inspect.available) return found;
  for (const topic of await storedTopics(bus))
    found.push(...pendingOf(topic, withinMs, groupsOf(bus, topic)));
  return found;
}

/** Those that handlers of the bus read. */
async function storedTopics({ service }: WitnessedBus): Promise<TopicInspection[]> {
  const read = new Set<string>();
  const patterns: string[] = [];
  for (const { topic, group, own } of service.bus.subscriptions) {
    if (own || group === undefined) continue;
    if (isTopicPattern(topic)) patterns.push(topic);
    else read.add(topic);
  }
  const { inspect } = service;
  if (patterns.length > 0) {
    const matchers = patterns.map(topicMatcher);
    const names = await inspect.names({ limit: TOPICS_AT_A_TIME });
    for (const name of names) if (matchers.some((matches) => matches(name))) read.add(name);
  }
  const found = await Promise.all([...read].map((topic) => inspect.topic(topic)));
  return found.filter((topic) => topic !== undefined);
}

/** The groups of handlers of the bus: what others have not handled is their own business. */
function groupsOf({ service }: WitnessedBus, { topic, groups }: TopicInspection): GroupInspection[] {
  const own = new Set(
    service.bus.subscriptions
      .filter(
        (each) => each.topic === topic || (isTopicPattern(each.topic) && topicMatcher(each.topic)(topic)),
      )
      .map(({ group }) => group),
  );
  return groups.filter(({ group }) => own.has(group));
}

function pendingOf(
  { topic, at, delayed, nextDueAt }: TopicInspection,
  withinMs: number,
  groups: readonly GroupInspection[],
): string[] {
  const found: string[] = [];
  if (delayed > 0 && isDue(nextDueAt, at, withinMs)) {
    found.push(`"${topic}": ${delayed} delayed, the next is due in ${left(nextDueAt, at)} ms`);
  }
  for (const { group, waiting, held, retries, nextRetryAt, paused } of groups) {
    const what = `"${topic}", group "${group}"`;
    if (waiting > 0) found.push(`${what}: ${waiting} waiting${paused ? ', and the group is paused' : ''}`);
    if (held > 0) found.push(`${what}: ${held} not settled`);
    if (retries > 0 && isDue(nextRetryAt, at, withinMs)) {
      found.push(`${what}: ${retries} tried again, the next in ${left(nextRetryAt, at)} ms`);
    }
  }
  return found;
}

function isDue(dueAt: number | undefined, at: number, withinMs: number): boolean {
  return dueAt === undefined || dueAt - at <= withinMs;
}

function left(dueAt: number | undefined, at: number): number {
  return Math.max(0, Math.round((dueAt ?? at) - at));
}
