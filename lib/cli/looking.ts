import { namesOfTopics } from '../bus/operate/many-topics.js';
import type { TopicInspection } from '../driver/inspection.js';
import { topicMatcher } from '../message/topic-pattern.js';
import { atOnce } from '../timing/at-once.js';
import { exitCodes, failureOf, isAway } from './exit-codes.js';
import type { Run } from './run.js';

/** Topics that are asked for at a time: other commands of the server find their way between them. */
const ASKED_AT_ONCE = 32;

/** A topic that is there and cannot be told of, as another program's key is in its place. */
export interface UnreadableTopic {
  readonly topic: string;
  readonly error: string;
}

/** Topics as they are now. */
export interface Look {
  readonly topics: readonly TopicInspection[];
  readonly unreadable: readonly UnreadableTopic[];
}

/** The names of all topics that `pattern` matches, all by default. */
export async function namesOf(run: Run, pattern: string | undefined): Promise<string[]> {
  const { bus } = await run.session();
  return namesOfTopics(bus.inspect, pattern === undefined ? () => true : topicMatcher(pattern));
}

/** All topics that `pattern` matches. Those that cannot be read are told on stderr, and the run then ends as failed. */
export async function lookAt(run: Run, pattern: string | undefined): Promise<Look> {
  const { bus } = await run.session();
  const names = await namesOf(run, pattern);
  const topics: TopicInspection[] = [];
  const unreadable: UnreadableTopic[] = [];
  await atOnce(names, ASKED_AT_ONCE, async (name) => {
    try {
      const found = await bus.inspect.topic(name);
      if (found !== undefined) topics.push(found);
    } catch (error) {
      if (isAway(error) || failureOf(error).exitCode === exitCodes.rights) throw error;
      unreadable.push({ topic: name, error: failureOf(error).message });
    }
  });
  for (const { topic, error } of unreadable) run.terminal.tellFailure(`"${topic}" cannot be read: ${error}`);
  if (unreadable.length > 0) run.exitCode = exitCodes.failed;
  const byName = (one: { topic: string }, other: { topic: string }) => (one.topic < other.topic ? -1 : 1);
  return { topics: topics.sort(byName), unreadable: unreadable.sort(byName) };
}
