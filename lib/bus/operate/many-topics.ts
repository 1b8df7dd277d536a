import type { TopicInspection } from '../../driver/inspection.js';
import { atOnce } from '../../timing/at-once.js';
import type { Inspector } from './inspector.js';

/** Names that are asked for at a time. */
const PAGE = 1_000;
/** Topics that are asked for at a time: other commands of the server find their way between them. */
const AT_ONCE = 20;

/** The names of all topics that `matches` says true to, by name. Rejects as `inspect.names` does. */
export async function namesOfTopics(
  inspect: Inspector,
  matches: (topic: string) => boolean,
): Promise<string[]> {
  const names: string[] = [];
  for (let after: string | undefined; ; after = names.at(-1)) {
    const page = await inspect.names({ limit: PAGE, ...(after !== undefined && { after }) });
    if (page.length === 0) return names.filter(matches);
    names.push(...page);
  }
}

/** Those of `topics` that are there, in the same order. Rejects as `inspect.topic` does. */
export async function inspectEach(inspect: Inspector, topics: readonly string[]): Promise<TopicInspection[]> {
  const found = await atOnce(topics, AT_ONCE, (topic) => inspect.topic(topic));
  return found.filter((each) => each !== undefined);
}
